import ImageInput
import JSON
import TokenizerCore

/// What is wrong with tokens, an image or options. Who serves them gives its kind a status.
public struct FormatError: DescribedError, Equatable {
    public enum Kind: Sendable {
        /// Not in the form that is read here.
        case invalid
        /// In a form that isn't read here.
        case unsupported
        case tooLarge
        /// In the right form, with content that can't be taken.
        case unprocessable
        /// Made under another contract.
        case conflict
        /// No fault of the input's: it may be taken later.
        case unavailable
        /// A mistake in this program.
        case `internal`
    }

    public var kind: Kind
    public var code: String
    public var message: String
    public var param: String?

    public init(_ kind: Kind, _ code: String, _ message: String, param: String? = nil) {
        self.kind = kind
        self.code = code
        self.message = message
        self.param = param
    }

    public var type: String {
        switch kind {
        case .invalid, .unsupported, .tooLarge, .unprocessable, .conflict: "invalid_request_error"
        case .unavailable, .internal: "server_error"
        }
    }

    static func badOption(_ name: String, _ why: String) -> FormatError {
        FormatError(.invalid, "invalid_option", "'\(name)': \(why)", param: name)
    }
}

extension FormatError {
    public init(_ error: ImageError) {
        let (kind, code): (Kind, String) =
            switch error {
            case .unsupported: (.unsupported, "unsupported_image")
            case .fileBytes: (.tooLarge, "image_too_large")
            case .pixels: (.tooLarge, "too_many_pixels")
            case .scans: (.tooLarge, "too_many_scans")
            case .undecodable: (.unprocessable, "undecodable_image")
            // What a file makes the decoder do is the file's fault.
            case .deadline: (.unprocessable, "image_too_slow")
            case .memory: (.unavailable, "out_of_memory")
            }
        self.init(kind, code, error.description)
    }

    public init(_ error: TokenizerError) {
        switch error {
        case .tokenCount(let found, let expected):
            self.init(.unprocessable, "token_count", "found \(found) tokens, expected \(expected)", param: "tokens")
        case .tokenRange(let position, let found, let codebookSize):
            self.init(
                .unprocessable, "token_out_of_range",
                "the token at position \(position) is \(described(found)), expected 0...\(codebookSize - 1)",
                param: "tokens")
        case .option(let name, let reason):
            self = .badOption(name, reason)
        case .imageSize(let found, let expected):
            self.init(.internal, "internal", "the model was given a picture of \(found), expected \(expected)")
        }
    }
}

/// An error as a client reads it.
public protocol DescribedError: Error, Sendable, CustomStringConvertible {
    /// The family of errors that `code` is one of.
    var type: String { get }
    /// A stable name in snake case for programs.
    var code: String { get }
    /// What was wrong, where, and what was expected.
    var message: String { get set }
    /// The option, member or item at fault.
    var param: String? { get set }
}

extension DescribedError {
    public var description: String { message }

    /// The same, said of item `index` of the member `name`.
    package func placed(_ name: String, _ index: Int) -> Self { placed("\(name)[\(index)]") }

    /// The same, said of a member.
    package func placed(_ place: String) -> Self {
        var error = self
        error.message = "\(place): \(message)"
        error.param = place
        return error
    }
}

/// A name out of a request, short enough for a message.
package func shortened(_ text: String, to limit: Int = 64) -> String {
    text.utf8.count <= limit || text.count <= limit ? text : String(text.prefix(limit)) + "…"
}

/// Two lower-case digits a byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}
