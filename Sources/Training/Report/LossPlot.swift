import Glibc

/// The course of a training run as an image: losses over steps (logarithmic) and below them the codebooks' usage.
package enum LossPlot {
    /// One SVG document (SVG 1.1, 960 x 640), for a browser or a README.
    ///
    /// Each line has at most 1,000 points: the means of equally many neighbouring records. Missing and non-finite
    /// values are skipped, and so are losses of 0 and less, which have no place on a logarithmic axis.
    /// - Parameter title: any text; it is escaped.
    package static func svg(_ records: [TrainingRecord], title: String = "Training") -> String {
        let losses = [
            PlotLine("quantizer", blue, records) { $0.quantizerLoss.flatMap(positive) },
            PlotLine("rectifier", orange, records) { $0.rectifierLoss.flatMap(positive) },
            PlotLine("validation, quantized", blue, dashed: true, records) {
                $0.validationQuantized.flatMap(positive)
            },
            PlotLine("validation, rectified", orange, dashed: true, records) {
                $0.validationRectified.flatMap(positive)
            },
        ].filter { !$0.points.isEmpty }
        let usage = [
            PlotLine("codes used", green, unit: " %", records) { record in record.usage.map { $0 * 100 } }
        ].filter { !$0.points.isEmpty }
        let steps = LinearScale(steps: range(of: (losses + usage).flatMap(\.ends)))
        let loss = LogScale(values: range(of: losses.flatMap { $0.points.map(\.value) }))
        let percent = LinearScale(0, 100)
        let upper = PlotPanel(
            top: 92, height: 300, label: "loss (log scale)", lines: losses, steps: steps,
            valueTicks: losses.isEmpty ? [] : loss.ticks, place: loss.place)
        let lower = PlotPanel(
            top: 448, height: 128, label: "usage (%)", lines: usage, steps: steps,
            valueTicks: percent.ticks(count: 4), place: percent.place)
        return document(title: title, body: upper.svg + lower.svg + stepAxis(steps, under: lower))
    }

    static let blue = "#2a6fdb"
    static let orange = "#e0701a"
    static let green = "#16936b"
    static let ink = "#1f2933"
    static let muted = "#616e7c"

    private static func positive(_ value: Double) -> Double? { value > 0 ? value : nil }

    private static func range(of values: [Double]) -> ClosedRange<Double>? {
        guard let low = values.min(), let high = values.max() else { return nil }
        return low...high
    }

    private static func document(title: String, body: String) -> String {
        let title = escaped(title)
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 640" width="960" height="640" role="img" \
            font-family="system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" font-size="12" fill="\(ink)">
            <title>\(title)</title>
            <rect width="960" height="640" fill="#ffffff"/>
            <text x="\(PlotPanel.left)" y="36" font-size="18" font-weight="600">\(title)</text>
            \(body)</svg>

            """
    }

    private static func stepAxis(_ steps: LinearScale, under panel: PlotPanel) -> String {
        let bottom = panel.top + panel.height
        var text = ""
        for tick in panel.stepTicks {
            let x = coordinate(PlotPanel.left + tick.place * PlotPanel.width)
            text += "<text x=\"\(x)\" y=\"\(bottom + 18)\" text-anchor=\"middle\" fill=\"\(muted)\">"
            text += "\(escaped(tick.label))</text>\n"
        }
        let middle = coordinate(PlotPanel.left + PlotPanel.width / 2)
        return text + "<text x=\"\(middle)\" y=\"\(bottom + 42)\" text-anchor=\"middle\">step</text>\n"
    }

    /// Text for an element or an attribute; characters that XML 1.0 doesn't have (2.2) become U+FFFD.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\t", "\n", "\r": result += " "
            case "\u{0}"..<" ", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// In pixels, to a tenth.
    static func coordinate(_ value: Double) -> String { NumberText.fixed(value, digits: 1) }
}

/// One quantity over steps.
struct PlotLine {
    struct Point: Equatable {
        var step: Double
        var value: Double
    }

    static let limit = 1000

    let name: String
    let color: String
    let dashed: Bool
    let unit: String
    /// In the order of steps, at most `limit`.
    let points: [Point]
    /// The first and the last record's step; nothing where there are no points.
    let ends: [Double]
    /// The last record's value, not averaged.
    let last: Double?

    init(
        _ name: String, _ color: String, dashed: Bool = false, unit: String = "", _ records: [TrainingRecord],
        value: (TrainingRecord) -> Double?
    ) {
        var points: [Point] = []
        var sorted = true
        for record in records {
            guard record.step >= 0, let value = value(record), value.isFinite else { continue }
            let point = Point(step: Double(record.step), value: value)
            if let last = points.last, last.step > point.step { sorted = false }
            points.append(point)
        }
        if !sorted { points.sort { $0.step < $1.step } }
        self.name = name
        self.color = color
        self.dashed = dashed
        self.unit = unit
        self.points = Self.thinned(points)
        ends = [points.first, points.last].compactMap { $0?.step }
        last = points.last?.value
    }

    /// At most `limit` points: means of runs that differ by at most one point in length.
    static func thinned(_ points: [Point]) -> [Point] {
        guard points.count > limit else { return points }
        return (0..<limit).map { index in
            let run = points[index * points.count / limit..<(index + 1) * points.count / limit]
            var mean = Point(step: 0, value: 0)
            // Divided before it is added: a sum of large values could leave the range of a double.
            for point in run {
                mean.step += point.step / Double(run.count)
                mean.value += point.value / Double(run.count)
            }
            return mean
        }
    }

    var legend: String {
        guard let last else { return name }
        return "\(name)  \(NumberText.significant(last, digits: 4))\(unit)"
    }
}
