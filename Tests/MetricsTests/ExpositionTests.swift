import MetricsReader
import Testing

@testable import Metrics

@Test func aPageIsWrittenAsTheFormatSays() {
    let registry = Registry()
    let requests = registry.counter("requests_total", "Answers.", labels: ["route", "code"])
    requests["/b", "200"].add()
    requests["/a", "404"].add(2)
    let spans = registry.histogram("span_seconds", "Time.", labels: ["stage"], bounds: [0.25, 1, 1e-7 * 1e9])
    for value in [0.25, 0.5, 1000] { spans["x"].observe(value) }
    registry.readGauge("level", "Now.") { [.init(-0.5)] }
    registry.readGauge("nothing", "Unknown.") { [] }
    #expect(
        registry.text() == """
            # HELP requests_total Answers.
            # TYPE requests_total counter
            requests_total{route="/a",code="404"} 2
            requests_total{route="/b",code="200"} 1
            # HELP span_seconds Time.
            # TYPE span_seconds histogram
            span_seconds_bucket{stage="x",le="0.25"} 1
            span_seconds_bucket{stage="x",le="1"} 2
            span_seconds_bucket{stage="x",le="100"} 2
            span_seconds_bucket{stage="x",le="+Inf"} 3
            span_seconds_sum{stage="x"} 1000.75
            span_seconds_count{stage="x"} 3
            # HELP level Now.
            # TYPE level gauge
            level -0.5
            # HELP nothing Unknown.
            # TYPE nothing gauge

            """)
    #expect(throws: Never.self) { try MetricsPage(registry.text()) }
}

@Test(arguments: [
    "", "plain", #"quote " inside"#, #"back\slash"#, #"\n is no line end"#, "a\nb", "\r\n", #"\""#, "\\\n", "ümlaut 🖼",
    "{a=\"b\"} 1",
])
func labelsAndHelpSurviveEscaping(text: String) throws {
    let registry = Registry()
    registry.counter("c_total", "Help: \(text)", labels: ["first", "second"])[text, "x"].add(7)
    let page = try MetricsPage(registry.text())
    #expect(page.value("c_total", ["first": text, "second": "x"]) == 7)
    #expect(page.family("c_total")?.help == "Help: \(text)")
}

@Test(
    arguments: [
        (0, "0"), (1, "1"), (-3, "-3"), (0.1, "0.1"), (1e-6, "1e-06"), (1.5e300, "1.5e+300"),
        (1e15, "1000000000000000"),
        (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (.leastNonzeroMagnitude, "5e-324"),
    ] as [(Double, String)])
func numbersAreGos(value: Double, expected: String) throws {
    #expect(Exposition.number(value) == expected)
    let registry = Registry()
    registry.readGauge("g", "A number.") { [.init(value)] }
    let read = try #require(try MetricsPage(registry.text()).value("g"))
    #expect(read == value || (read.isNaN && value.isNaN))
}

@Test func readingsAreTakenAtEachScrape() throws {
    let registry = Registry()
    let counter = Counter()
    registry.readCounter("read_total", "Read.", labels: ["model"]) { [.init(Double(counter.value), "m")] }
    registry.readHistogram("sizes", "Read.") {
        var snapshot = Histogram.Snapshot(bounds: [1, 2])
        snapshot.observe(2, times: counter.value)
        return snapshot
    }
    for expected in [0.0, 1, 2] {
        let page = try MetricsPage(registry.text())
        #expect(page.value("read_total", ["model": "m"]) == expected)
        #expect(page.value("sizes_bucket", ["le": "2"]) == expected)
        #expect(page.value("sizes_bucket", ["le": "1"]) == 0)
        #expect(page.value("sizes_sum") == 2 * expected)
        counter.add()
    }
}

/// The reader that other tests rely on does refuse.
@Test(arguments: [
    "# HELP a A.\n# TYPE a gauge\na 1", "a 1\n", "# TYPE a gauge\na 1\n", "# HELP a A.\na 1\n", "# HELP a A.\n",
    "# HELP a A.\n# TYPE a gauge\n\n", "# HELP a A.\n# TYPE a gauge\na 1 \n", "# HELP a A.\n# TYPE a gauge\na  1\n",
    "# HELP a A.\n# TYPE a gauge\na one\n", "# HELP a A.\n# TYPE a gauge\na inf\n",
    "# HELP a A.\n# TYPE a gauge\nb 1\n",
    "# HELP a A.\n# TYPE a gauge\na 1\na 1\n", "# HELP a A.\n# TYPE a what\na 1\n",
    "# HELP a A.\n# TYPE a gauge\na{} 1\n", "# HELP a A.\n# TYPE a gauge\na{b=\"c} 1\n",
    "# HELP a A.\n# TYPE a gauge\na{b=\"\\c\"} 1\n", "# HELP a A.\n# TYPE a gauge\na{b=\"c\",b=\"d\"} 1\n",
    "# HELP a A.\n# TYPE a gauge\na{1b=\"c\"} 1\n", "# HELP a A.\n# TYPE a counter\na 1\n",
    "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n",
    "# HELP a A.\n# TYPE a gauge\n# HELP a A.\n# TYPE a gauge\n",
    "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
    "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
    "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"2\"} 0\nh_bucket{le=\"1\"} 1\n"
        + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
    "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
    "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n",
    "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\n",
])
func theReaderIsStrict(text: String) {
    #expect(throws: MetricsPage.Defect.self) { try MetricsPage(text) }
}
