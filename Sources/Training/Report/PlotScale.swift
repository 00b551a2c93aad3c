import Glibc

/// A mark on an axis.
struct PlotTick: Equatable {
    /// From 0 at the axis's beginning to 1 at its end.
    let place: Double
    let label: String
}

/// `mantissa x 10^exponent` with a mantissa of 1, 2 or 5: a distance between ticks that people like to count in.
struct TickStep: Equatable {
    let mantissa: Int
    let exponent: Int

    var value: Double { Double(mantissa) * pow(10, Double(exponent)) }

    /// About `count` steps to the span, which is more than 0.
    init(span: Double, count: Int) {
        let raw = span / Double(max(count, 1))
        let power = log10(raw).rounded(.down)
        let scaled = raw / pow(10, power)
        let (mantissa, carry) = scaled < 1.5 ? (1, 0) : scaled < 3.5 ? (2, 0) : scaled < 7.5 ? (5, 0) : (1, 1)
        self.mantissa = mantissa
        exponent = Int(power) + carry
    }

    private init(mantissa: Int, exponent: Int) {
        self.mantissa = mantissa
        self.exponent = exponent
    }

    /// The step itself, but at least 1.
    var whole: TickStep { exponent < 0 ? TickStep(mantissa: 1, exponent: 0) : self }

    /// The multiples within low...high, as counts of 10^exponent.
    func multiples(from low: Double, through high: Double) -> [Int] {
        let first = (low / value).rounded(.up)
        let last = (high / value).rounded(.down)
        // Beyond 2^50 neighbouring multiples can't be told apart.
        guard first <= last, first.magnitude < 0x1p50, last.magnitude < 0x1p50 else { return [] }
        return (Int(first)...Int(last)).map { $0 * mantissa }
    }
}

/// An axis in even steps.
struct LinearScale {
    let low: Double
    let high: Double

    /// The axis of training steps from 0 on; begins at 0 unless that left more than a tenth of it empty.
    init(steps: ClosedRange<Double>?) {
        guard let steps else { (low, high) = (0, 1); return }
        let begin = steps.lowerBound <= max(1, 0.1 * steps.upperBound) ? 0 : steps.lowerBound
        low = begin
        high = max(steps.upperBound, begin + max(1, begin * 0.01))
    }

    init(_ low: Double, _ high: Double) {
        self.low = low
        self.high = high
    }

    func place(_ value: Double) -> Double { min(max((value - low) / (high - low), 0), 1) }

    /// Ticks at whole numbers, about `count` of them.
    func ticks(count: Int) -> [PlotTick] {
        let step = TickStep(span: high - low, count: count).whole
        return step.multiples(from: low, through: high).map { multiple in
            let place = place(Double(multiple) * pow(10, Double(step.exponent)))
            return PlotTick(place: place, label: NumberText.decimal(multiple, exponent: step.exponent, whole: 9))
        }
    }
}

/// An axis in powers of ten, for values over 0.
struct LogScale {
    /// Decimal logarithms of the ends.
    let low: Double
    let high: Double

    private static let leastSpan = 0.1
    /// Beyond these powers a value is drawn on the edge.
    private static let powers = -300.0...300.0

    /// Room for those values and a little more; 0.001...1 where there are none.
    init(values: ClosedRange<Double>?) {
        guard let values else { (low, high) = (-3, 0); return }
        let bottom = Self.logarithm(values.lowerBound)
        let top = Self.logarithm(values.upperBound)
        let margin = max(0.04 * (top - bottom), (Self.leastSpan - (top - bottom)) / 2)
        low = bottom - margin
        high = top + margin
    }

    private static func logarithm(_ value: Double) -> Double {
        min(max(log10(value), powers.lowerBound), powers.upperBound)
    }

    /// - Parameter value: over 0.
    func place(_ value: Double) -> Double { place(power: Self.logarithm(value)) }

    private func place(power: Double) -> Double { min(max((power - low) / (high - low), 0), 1) }

    /// Even steps within less than a decade, 1-2-5 within three and a half, whole powers beyond.
    var ticks: [PlotTick] {
        let span = high - low
        if span < 0.8 { return evenTicks }
        let mantissas = span < 3.5 ? [1, 2, 5] : [1]
        let stride = span < 3.5 ? 1 : max(1, Int((span / 8).rounded(.up)))
        var ticks: [PlotTick] = []
        for exponent in Int(low.rounded(.down))...Int(high.rounded(.up)) where exponent % stride == 0 {
            for mantissa in mantissas {
                let power = Double(exponent) + log10(Double(mantissa))
                guard power >= low, power <= high else { continue }
                let label = NumberText.decimal(mantissa, exponent: exponent)
                ticks.append(PlotTick(place: place(power: power), label: label))
            }
        }
        return ticks
    }

    private var evenTicks: [PlotTick] {
        let (bottom, top) = (pow(10, low), pow(10, high))
        let step = TickStep(span: top - bottom, count: 5)
        return step.multiples(from: bottom, through: top).map { multiple in
            let power = log10(Double(multiple)) + Double(step.exponent)
            return PlotTick(
                place: place(power: power), label: NumberText.decimal(multiple, exponent: step.exponent))
        }
    }
}
