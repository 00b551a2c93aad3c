/// Where runs of a sequence begin: from a number in all to the run it is in, and its number there.
struct Starts: Sendable {
    /// The first number of each run, then `total`.
    private let starts: [Int]

    /// - Parameter counts: of each run; none is negative.
    init(counts: [Int]) {
        starts = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    }

    var total: Int { starts[starts.count - 1] }

    func place(of index: Int) -> (run: Int, offset: Int) {
        precondition((0..<total).contains(index))
        var low = 0
        var high = starts.count - 1
        // starts[low] <= index < starts[high]
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= index { low = middle } else { high = middle }
        }
        return (low, index - starts[low])
    }
}
