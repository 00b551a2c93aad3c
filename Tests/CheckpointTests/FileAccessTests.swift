import Testing

@testable import Checkpoint

/// What several files allow together, and what may then be allowed in a file of another group.
struct FileAccessTests {
    struct Row: Sendable {
        let files: [(mode: UInt32, group: UInt32)]
        let common: UInt32
        /// For a file of group 7, and of group 9.
        let ofSeven: UInt32
        let ofNine: UInt32

        init(_ files: [(UInt32, UInt32)], common: UInt32, ofSeven: UInt32, ofNine: UInt32) {
            (self.files, self.common, self.ofSeven, self.ofNine) = (files, common, ofSeven, ofNine)
        }
    }

    static let rows = [
        Row([], common: 0o666, ofSeven: 0o666, ofNine: 0o666),
        Row([(0o644, 7)], common: 0o644, ofSeven: 0o644, ofNine: 0o644),
        Row([(0o640, 7)], common: 0o640, ofSeven: 0o640, ofNine: 0o600),
        Row([(0o640, 9)], common: 0o640, ofSeven: 0o600, ofNine: 0o640),
        // Who is of the group may not, though all others may: in a file of another group it is one of the others.
        Row([(0o604, 7)], common: 0o604, ofSeven: 0o604, ofNine: 0o600),
        Row([(0o664, 7)], common: 0o664, ofSeven: 0o664, ofNine: 0o644),
        Row([(0o777, 7)], common: 0o666, ofSeven: 0o666, ofNine: 0o666),
        Row([(0o600, 7), (0o644, 7)], common: 0o600, ofSeven: 0o600, ofNine: 0o600),
        Row([(0o644, 7), (0o600, 7)], common: 0o600, ofSeven: 0o600, ofNine: 0o600),
        Row([(0o640, 7), (0o640, 9)], common: 0o600, ofSeven: 0o600, ofNine: 0o600),
        Row([(0o640, 7), (0o644, 9)], common: 0o600, ofSeven: 0o600, ofNine: 0o600),
        Row([(0o664, 7), (0o646, 9)], common: 0o644, ofSeven: 0o644, ofNine: 0o644),
    ]

    @Test(arguments: rows) func commonAccess(row: Row) {
        let access = FileAccess.common(to: row.files.map { FileAccess(mode: $0.mode, group: $0.group) })
        #expect(access.mode == row.common)
        #expect(access.mode(of: 7) == row.ofSeven)
        #expect(access.mode(of: 9) == row.ofNine)
    }
}
