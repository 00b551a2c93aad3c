import Foundation
import FoundationXML
import Testing

@testable import Training

/// The elements of an SVG document, read by an XML parser.
private final class Drawing: NSObject, XMLParserDelegate {
    private(set) var elements: [(name: String, attributes: [String: String])] = []
    /// Up to each element's first child or end.
    private(set) var texts: [String] = []
    private var inside = false

    init(_ svg: String) throws {
        super.init()
        let parser = XMLParser(data: Data(svg.utf8))
        parser.delegate = self
        try #require(parser.parse(), "not well-formed: \(String(describing: parser.parserError))")
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) {
        elements.append((name, attributes))
        texts.append("")
        inside = true
    }

    func parser(
        _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
    ) { inside = false }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
        if inside { texts[texts.count - 1] += text }
    }

    func count(_ name: String) -> Int { elements.count { $0.name == name } }

    func has(text: String) -> Bool { texts.contains { $0.contains(text) } }

    /// Points of each polyline, in the order of the document.
    var lines: [[(x: Double, y: Double)]] {
        elements.filter { $0.name == "polyline" }.map { element in
            (element.attributes["points"] ?? "").split(separator: " ").map { point in
                let numbers = point.split(separator: ",").map { Double($0) ?? .nan }
                return numbers.count == 2 ? (numbers[0], numbers[1]) : (.nan, .nan)
            }
        }
    }
}

/// A run of two losses that fall, with validation every `every` steps.
private func run(_ steps: Int, every: Int = 100) -> [TrainingRecord] {
    (1...steps).map { step in
        var record = TrainingRecord(step % every == 0 ? .epoch : .step, step: step, epoch: step / every)
        record.quantizerLoss = 1 / Double(step).squareRoot()
        record.rectifierLoss = 0.5 / Double(step).squareRoot()
        record.usage = 1 - 1 / Double(step)
        if step % every == 0 {
            record.validationQuantized = 1.1 / Double(step).squareRoot()
            record.validationRectified = 0.6 / Double(step).squareRoot()
        }
        return record
    }
}

@Test func aRunGivesFiveLinesWithAxesAndLegend() throws {
    let drawing = try Drawing(LossPlot.svg(run(1000), title: "revq-mini"))
    #expect(drawing.lines.map(\.count) == [1000, 1000, 10, 10, 1000])
    #expect(drawing.count("circle") == 20)
    for text in [
        "revq-mini", "quantizer  0.03162", "rectifier  0.01581", "validation, quantized  0.03479",
        "validation, rectified  0.01897", "codes used  99.9 %", "loss (log scale)", "usage (%)", "step", "0.1", "100",
    ] {
        #expect(drawing.has(text: text), "\(text)")
    }
    for line in drawing.lines {
        #expect(line.allSatisfy { (76...916).contains($0.x) && (92...576).contains($0.y) })
        #expect(zip(line, line.dropFirst()).allSatisfy { $0.x <= $1.x })
    }
    // The first loss falls: its y grows. The usage rises.
    #expect(zip(drawing.lines[0], drawing.lines[0].dropFirst()).allSatisfy { $0.y <= $1.y })
    #expect(zip(drawing.lines[4], drawing.lines[4].dropFirst()).allSatisfy { $0.y >= $1.y })
}

@Test func noRecordsGiveEmptyPanels() throws {
    let drawing = try Drawing(LossPlot.svg([]))
    #expect(drawing.count("polyline") == 0)
    #expect(drawing.texts.count { $0.contains("no values yet") } == 2)
}

@Test func oneRecordGivesDots() throws {
    let drawing = try Drawing(LossPlot.svg(Array(run(1, every: 1))))
    #expect(drawing.count("polyline") == 0)
    #expect(drawing.count("circle") == 5)
    #expect(!drawing.has(text: "no values yet"))
}

@Test func aMillionRecordsAreThinned() throws {
    let svg = LossPlot.svg(run(1_000_000, every: 500))
    #expect(svg.utf8.count < 200_000)
    let drawing = try Drawing(svg)
    #expect(drawing.lines.map(\.count) == [1000, 1000, 1000, 1000, 1000])
    #expect(drawing.has(text: "1,000,000"))
    #expect(drawing.has(text: "quantizer  0.001"))
}

@Test func valuesWithoutAPlaceAreSkipped() throws {
    var records = run(10)
    records[2].quantizerLoss = .nan
    records[3].quantizerLoss = .infinity
    records[4].quantizerLoss = 0
    records[5].quantizerLoss = -1
    records[6].quantizerLoss = nil
    records[7].step = -5
    records[0].usage = .nan
    records[1].usage = 7
    let drawing = try Drawing(LossPlot.svg(records))
    #expect(drawing.lines.map(\.count) == [4, 9, 8])
    #expect(drawing.lines[2].allSatisfy { (448...576).contains($0.y) })
}

@Test func stepsOutOfOrderAreSorted() throws {
    let drawing = try Drawing(LossPlot.svg(run(50).reversed()))
    #expect(zip(drawing.lines[0], drawing.lines[0].dropFirst()).allSatisfy { $0.x <= $1.x })
}

@Test(arguments: [
    [Double.leastNonzeroMagnitude, Double.greatestFiniteMagnitude], [.leastNonzeroMagnitude, .leastNonzeroMagnitude],
    [1e308, 1e308], [0.25, 0.25],
    [1, 1.000_000_1],
])
func extremeLossesStayInThePanel(values: [Double]) throws {
    let records = values.enumerated().map { index, value in
        var record = TrainingRecord(.step, step: Int.max - index, epoch: 0)
        record.quantizerLoss = value
        return record
    }
    let drawing = try Drawing(LossPlot.svg(records))
    #expect(drawing.lines.count == 1)
    #expect(drawing.lines.joined().allSatisfy { (92...392).contains($0.y) })
}

@Test func textIsEscaped() throws {
    let title = "a<b> & \"c\" 'd'"
    let drawing = try Drawing(LossPlot.svg([], title: title + "\u{1}\u{FFFF}"))
    #expect(drawing.texts.count { $0 == title + "\u{FFFD}\u{FFFD}" } == 2)
}

@Test(arguments: [999, 1000, 1001, 1999, 2500])
func thinningKeepsTheMean(count: Int) {
    let points = (0..<count).map { PlotLine.Point(step: Double($0), value: Double($0 % 7)) }
    let thinned = PlotLine.thinned(points)
    #expect(thinned.count == min(count, 1000))
    #expect(thinned.allSatisfy { $0.value >= 0 && $0.value < 6.000_001 })
    if count <= 1000 { #expect(thinned == points) }
    if count == 2500 {
        #expect(thinned[0] == PlotLine.Point(step: 0.5, value: 0.5))
        #expect(thinned[1].step.rounded() == 3)
    }
}

@Test func logarithmicTicks() {
    func labels(_ range: ClosedRange<Double>) -> [String] { LogScale(values: range).ticks.map(\.label) }
    #expect(labels(0.0011...0.9) == ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"])
    #expect(labels(0.21...0.39) == ["0.25", "0.30", "0.35"])
    #expect(labels(0.0001...10) == ["0.0001", "0.001", "0.01", "0.1", "1", "10"])
    #expect(labels(1e-7...1e9) == ["1e-6", "0.001", "1", "1,000", "1e6", "1e9"])
    #expect(labels(2...2) == ["1.8", "1.9", "2.0", "2.1", "2.2"])
    let scale = LogScale(values: 1...100)
    #expect(abs(scale.place(10) - 0.5) < 1e-12)
    for tick in scale.ticks { #expect((0...1).contains(tick.place)) }
}

@Test func stepTicks() {
    func labels(_ range: ClosedRange<Double>) -> [String] { LinearScale(steps: range).ticks(count: 8).map(\.label) }
    #expect(labels(1...4) == ["0", "1", "2", "3", "4"])
    #expect(labels(1...3900).prefix(3) == ["0", "500", "1,000"])
    #expect(
        labels(5000...5040)
            == ["5,000", "5,005", "5,010", "5,015", "5,020", "5,025", "5,030", "5,035", "5,040", "5,045", "5,050"])
    #expect(labels(0...2e7).last == "20,000,000")
    #expect(labels(0...2e10).last == "2e10")
    #expect(labels(7...7) == ["7", "8"])
}
