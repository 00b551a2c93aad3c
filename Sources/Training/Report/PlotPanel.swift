/// A rectangle of a plot with its grid, its lines and their legend. Lengths are in pixels.
struct PlotPanel {
    static let left = 76.0
    static let width = 840.0

    let top: Double
    let height: Double
    /// Of the axis of values.
    let label: String
    let lines: [PlotLine]
    let steps: LinearScale
    let valueTicks: [PlotTick]
    /// From 0 at the bottom to 1 at the top.
    let place: (Double) -> Double

    var stepTicks: [PlotTick] { steps.ticks(count: 8) }

    var svg: String { grid + lines.map(curve).joined() + legend + axisLabel + emptyNote }

    private func x(_ place: Double) -> String { LossPlot.coordinate(Self.left + place * Self.width) }
    private func y(_ place: Double) -> String { LossPlot.coordinate(top + (1 - place) * height) }

    private var grid: String {
        let line = "stroke=\"#e4e7eb\" stroke-width=\"1\""
        var text = ""
        for tick in valueTicks {
            let y = y(tick.place)
            text += "<path d=\"M\(x(0)) \(y)H\(x(1))\" \(line)/>\n"
            text += "<text x=\"\(LossPlot.coordinate(Self.left - 10))\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\" "
            text += "fill=\"\(LossPlot.muted)\">\(LossPlot.escaped(tick.label))</text>\n"
        }
        for tick in stepTicks { text += "<path d=\"M\(x(tick.place)) \(y(1))V\(y(0))\" \(line)/>\n" }
        return text + "<path d=\"M\(x(0)) \(y(1))V\(y(0))H\(x(1))\" fill=\"none\" stroke=\"#9aa5b1\"/>\n"
    }

    private func curve(_ line: PlotLine) -> String {
        let places = line.points.map { (x: x(steps.place($0.step)), y: y(place($0.value))) }
        var text = ""
        if places.count > 1 {
            let points = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
            text += "<polyline fill=\"none\" stroke=\"\(line.color)\" \(Self.stroke(line)) "
            text += "stroke-linejoin=\"round\" points=\"\(points)\"/>\n"
        }
        // Few points are marked, for lines between them say less than they seem to.
        if places.count == 1 || (line.dashed && places.count <= 60) {
            for place in places {
                text += "<circle cx=\"\(place.x)\" cy=\"\(place.y)\" r=\"3\" fill=\"\(line.color)\"/>\n"
            }
        }
        return text
    }

    private static func stroke(_ line: PlotLine) -> String {
        line.dashed ? "stroke-width=\"1.8\" stroke-dasharray=\"6 4\"" : "stroke-width=\"1.5\""
    }

    private var legend: String {
        var text = ""
        var x = Self.left
        let y = top - 16
        for line in lines {
            let (start, end) = (LossPlot.coordinate(x), LossPlot.coordinate(x + 24))
            text += "<path d=\"M\(start) \(LossPlot.coordinate(y - 4))H\(end)\" stroke=\"\(line.color)\" "
            text += "\(Self.stroke(line))/>\n"
            text += "<text x=\"\(LossPlot.coordinate(x + 30))\" y=\"\(LossPlot.coordinate(y))\">"
            text += "\(LossPlot.escaped(line.legend))</text>\n"
            // An average character of a 12 px sans serif is under 7 px wide.
            x += 54 + 6.8 * Double(line.legend.count)
        }
        return text
    }

    private var axisLabel: String {
        let middle = LossPlot.coordinate(top + height / 2)
        return "<text transform=\"translate(20 \(middle)) rotate(-90)\" text-anchor=\"middle\">"
            + "\(LossPlot.escaped(label))</text>\n"
    }

    private var emptyNote: String {
        guard lines.isEmpty else { return "" }
        return "<text x=\"\(x(0.5))\" y=\"\(y(0.5))\" text-anchor=\"middle\" fill=\"\(LossPlot.muted)\">"
            + "no values yet</text>\n"
    }
}
