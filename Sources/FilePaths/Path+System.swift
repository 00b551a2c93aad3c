import Glibc

/// Why the system refused a call: its own word.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    public let number: Int32

    public init(_ number: Int32 = errno) { self.number = number }

    public var description: String { String(cString: strerror(number)) }
}

extension Path {
    /// Lends the path as the system takes it. One with a zero byte, which no file's name has, is lent as the empty
    /// path, which names no file: what comes before the zero would name another one.
    public func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let characters = (bytes.contains(0) ? [] : bytes).map { CChar(bitPattern: $0) } + [0]
        return body(characters)
    }

    /// - Returns: a descriptor, or a negative number and `errno`.
    public func open(_ flags: Int32, mode: UInt32 = 0o666) -> Int32 {
        withCString { Glibc.open($0, flags, mode_t(mode)) }
    }

    /// What the system knows of it, after links unless they are asked for.
    public func status(ofLink: Bool = false) throws(SystemError) -> stat {
        var status = stat()
        let result = withCString { ofLink ? lstat($0, &status) : stat($0, &status) }
        guard result == 0 else { throw SystemError() }
        return status
    }

    public var isFolder: Bool { (try? status()).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }

    /// Why this process may not do with it what `mode` says (`R_OK`, `W_OK`, `X_OK`; `F_OK`: find it); `nil` where it
    /// may.
    public func refusal(of mode: Int32) -> SystemError? {
        withCString { access($0, mode) == 0 ? nil : SystemError() }
    }

    /// Whether something is there, after links.
    public var exists: Bool { refusal(of: F_OK) == nil }

    /// The names in a folder, without `.` and `..`, sorted.
    public func entries() throws(SystemError) -> [Path] {
        guard let stream = withCString({ opendir($0) }) else { throw SystemError() }
        defer { closedir(stream) }
        var names: [Path] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError() }
                return names.sorted()
            }
            guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return names }
            let start = UnsafeRawPointer(entry) + offset
            let name = UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))
            if !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) { names.append(Path(bytes: name)) }
        }
    }

    /// The absolute path without links; `nil` where it isn't there.
    public var real: Path? {
        guard let found = withCString({ realpath($0, nil) }) else { return nil }
        defer { free(found) }
        return Path(cString: found)
    }

    /// What a symbolic link holds; `nil` where it isn't one.
    public var linkTarget: Path? {
        var space = [CChar](repeating: 0, count: 1 << 14)
        let count = withCString { readlink($0, &space, space.count) }
        return count < 0 ? nil : Path(bytes: space[..<count].map { UInt8(bitPattern: $0) })
    }

    /// Removes the name of a file.
    @discardableResult public func unlink() -> Bool { withCString { Glibc.unlink($0) } == 0 }

    /// The working directory; `nil` where it has been removed.
    public static var current: Path? {
        guard let found = getcwd(nil, 0) else { return nil }
        defer { free(found) }
        return Path(cString: found)
    }

    public init(cString: UnsafePointer<CChar>) {
        self.init(bytes: UnsafeRawBufferPointer(start: cString, count: strlen(cString)))
    }
}
