/// Where a request's time went; of several images the longest wait and the sums of the rest.
struct Timings: Sendable, Equatable {
    var queue = Duration.zero
    var preprocess = Duration.zero
    var inference = Duration.zero
    var postprocess = Duration.zero

    /// The value of `Server-Timing`, in milliseconds.
    var field: String {
        if self == Timings() { return Self.none }
        return [("queue", queue), ("preprocess", preprocess), ("inference", inference), ("postprocess", postprocess)]
            .map { "\($0);dur=\(Self.milliseconds($1))" }.joined(separator: ", ")
    }

    /// Of requests that the engine has no part in, which are most.
    private static let none = "queue;dur=0.0, preprocess;dur=0.0, inference;dur=0.0, postprocess;dur=0.0"

    static func milliseconds(_ duration: Duration) -> Double {
        (duration / .microseconds(1)).rounded() / 1000
    }
}
