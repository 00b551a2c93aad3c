/// Why a file couldn't be written. One line that begins with the file's path.
public struct FileWriteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was being done when it failed; the words follow the reason in parentheses.
    public enum Step: String, Sendable {
        case target = "looking at the path"
        case folder = "opening its folder"
        case makeFolder = "making the folder"
        case create = "creating a temporary file beside it"
        /// The caller's part: what should be in the file can't be made.
        case contents = "making its contents"
        case write = "writing"
        case sync = "flushing to disk"
        case rename = "renaming the temporary file"
        /// The new file is in place; after a power failure, the old one may be there again.
        case folderSync = "flushing its folder to disk"
    }

    public let path: String
    public let step: Step
    /// The system's own word where there is one, such as "No space left on device".
    public let reason: String
    /// Bytes that the system had taken by then.
    public let bytesWritten: Int

    public init(path: String, step: Step, reason: String, bytesWritten: Int = 0) {
        self.path = path
        self.step = step
        self.reason = reason
        self.bytesWritten = bytesWritten
    }

    public var description: String {
        let text = "\(path): cannot be written: \(reason) (\(step.rawValue), after \(bytesWritten) bytes)"
        let line = text.unicodeScalars.prefix(2000).map { scalar in
            scalar.properties.generalCategory == .control ? "\u{FFFD}" : Character(scalar)
        }
        return String(line)
    }
}
