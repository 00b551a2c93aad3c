/// Where a request's time went; of several images the longest wait and the sums of the rest.
struct Timings: Sendable {
    var queue = Duration.zero
    var preprocess = Duration.zero
    var inference = Duration.zero
    var postprocess = Duration.zero

    /// The value of `Server-Timing`, in milliseconds.
    var field: String {
        [("queue", queue), ("preprocess", preprocess), ("inference", inference), ("postprocess", postprocess)]
            .map { "\($0);dur=\(Self.milliseconds($1))" }.joined(separator: ", ")
    }

    static func milliseconds(_ duration: Duration) -> Double {
        (duration / .microseconds(1)).rounded() / 1000
    }
}
