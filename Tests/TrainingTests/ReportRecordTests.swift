import JSON
import Testing

@testable import Training

private var full: TrainingRecord {
    var record = TrainingRecord(.epoch, step: 4000, epoch: 3)
    record.loss = 0.75
    record.quantizerLoss = 0.1
    record.rectifierLoss = 1e-9
    record.rate = 0.001
    record.imagesPerSecond = 812
    record.usage = 1
    record.moved = 17
    record.validationQuantized = 0.3
    record.validationRectified = 0.2
    return record
}

private func parsed(_ text: String) throws -> TrainingRecord { try TrainingRecord(parsing: Array(text.utf8)[...]) }

@Test func recordsAreJSONWithSnakeCaseKeys() {
    #expect(
        full.json.description
            == #"{"kind":"epoch","step":4000,"epoch":3,"loss":0.75,"quantizer_loss":0.1,"rectifier_loss":1e-09,"#
            + #""rate":0.001,"images_per_second":812.0,"usage":1.0,"validation_quantized":0.3,"#
            + #""validation_rectified":0.2,"moved":17}"#)
}

@Test func recordsReadBack() throws {
    #expect(try parsed(full.json.description) == full)
    let bare = TrainingRecord(.step, step: 0, epoch: 0)
    #expect(bare.json.description == #"{"kind":"step","step":0,"epoch":0}"#)
    #expect(try parsed(bare.json.description) == bare)
}

@Test(arguments: [Double.nan, .infinity, -.infinity])
func nonFiniteMeasurementsAreNull(value: Double) throws {
    var record = TrainingRecord(.step, step: 1, epoch: 0)
    record.loss = value
    #expect(record.json.description == #"{"kind":"step","step":1,"epoch":0,"loss":null}"#)
    #expect(try parsed(record.json.description).loss == nil)
}

@Test func integersAndUnknownKeysAreRead() throws {
    let record = try parsed(#"{"later":[1],"epoch":2,"step":7,"kind":"step","loss":1,"moved":null}"#)
    #expect(record.loss == 1)
    #expect(record.moved == nil)
    #expect(record.step == 7)
}

@Test(arguments: [
    ("", "at byte 0: expected a value, found the end of the text"),
    ("[]", "at byte 0: expected an object"),
    (#"{"step":1,"epoch":0}"#, #"kind: expected "step" or "epoch", found nothing"#),
    (#"{"kind":"hour","step":1,"epoch":0}"#, #"kind: expected "step" or "epoch", found "hour""#),
    (#"{"kind":"step","epoch":0}"#, "step: expected a whole number from 0, found nothing"),
    (#"{"kind":"step","step":-1,"epoch":0}"#, "step: expected a whole number from 0, found -1"),
    (#"{"kind":"step","step":1,"epoch":0.5}"#, "epoch: expected a whole number from 0, found 0.5"),
    (#"{"kind":"step","step":1,"epoch":0,"moved":[]}"#, "moved: expected a whole number from 0, found []"),
    (
        #"{"kind":"step","step":1,"epoch":0,"loss":"\#(String(repeating: "x", count: 60))"}"#,
        "loss: expected a number or null, found \"\(String(repeating: "x", count: 39))…"
    ),
])
func brokenLinesAreNamed(text: String, message: String) {
    let error = #expect(throws: TrainingRecordError.self) { try parsed(text) }
    #expect(error?.description == message)
}

@Test(arguments: [
    (0.0123456, "0.0123"), (1234.5, "1.23e+03"), (0, "0"), (-2, "-2"), (.nan, "nan"), (.infinity, "inf"),
])
func significantDigits(value: Double, text: String) {
    #expect(NumberText.significant(value) == text)
}

@Test(arguments: [(0, "0"), (999, "999"), (-1000, "-1,000"), (1_234_567, "1,234,567")])
func groupedDigits(value: Int, text: String) {
    #expect(NumberText.grouped(value) == text)
}

@Test func fixedDigitsOfTheLargestDouble() {
    #expect(NumberText.fixed(2.345, digits: 1) == "2.3")
    #expect(NumberText.fixed(Double.greatestFiniteMagnitude, digits: 17).count == 309 + 18)
}

@Test(arguments: [
    (0, -3, "0"), (12, 3, "12,000"), (120, 3, "120,000"), (1, 6, "1e6"), (120, 5, "1.2e7"), (-20, 6, "-2e7"),
    (25, -2, "0.25"), (1, -5, "0.00001"),
    (12, -7, "1.2e-6"), (1234, -2, "12.34"), (5, -300, "5e-300"),
])
func exactDecimals(digits: Int, exponent: Int, text: String) {
    #expect(NumberText.decimal(digits, exponent: exponent) == text)
}
