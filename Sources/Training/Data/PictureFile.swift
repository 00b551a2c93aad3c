import FilePaths
import Glibc
import ImageInput
import TokenizerCore

/// Reads image files. Errors give the reason alone; the caller puts the path before it.
enum PictureFile {
    /// Bytes in which nearly every header ends; a JPEG with a large profile before its frame is read whole.
    private static let headerBytes = 1 << 16

    /// Width and height as stored, checked against `limits`, from the header alone.
    static func size(_ path: Path, limits: ImageLimits) throws(TrainingError) -> (width: Int, height: Int) {
        let start = try read(path, limit: headerBytes)
        guard start.fileBytes <= limits.fileBytes else {
            throw refusal(.fileBytes(found: start.fileBytes, limit: limits.fileBytes))
        }
        let info: SourceInfo
        if let found = try? probe(start.bytes) {
            info = found
        } else {
            let whole =
                start.bytes.count < start.fileBytes ? try read(path, limit: limits.fileBytes).bytes : start.bytes
            do { info = try probe(whole) } catch { throw refusal(error) }
        }
        let (pixels, overflow) = info.width.multipliedReportingOverflow(by: info.height)
        guard !overflow, pixels <= limits.pixels else {
            throw refusal(.pixels(width: info.width, height: info.height, limit: limits.pixels))
        }
        return (info.width, info.height)
    }

    /// Differs once the file has changed: its size and when it was last written. Empty where there is none.
    static func version(_ path: Path) -> String {
        guard let status = try? path.status() else { return "" }
        return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }

    /// The upright image.
    static func decoded(_ path: Path, limits: ImageLimits) throws(TrainingError) -> RGBImage {
        let (bytes, fileBytes) = try read(path, limit: limits.fileBytes)
        guard fileBytes <= limits.fileBytes else {
            throw refusal(.fileBytes(found: fileBytes, limit: limits.fileBytes))
        }
        do { return try decode(bytes, limits: limits).image } catch { throw refusal(error) }
    }

    /// At most `limit` bytes from the start of a regular file, and how many the file has.
    static func read(_ path: Path, limit: Int) throws(TrainingError) -> (bytes: [UInt8], fileBytes: Int) {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = path.open(O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw systemError() }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError() }
        guard status.st_mode & S_IFMT == S_IFREG else { throw TrainingError("is not a regular file") }
        let size = Int(status.st_size)
        let wanted = min(size, max(0, limit))
        var failure: TrainingError?
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            while filled < wanted {
                let count = Glibc.read(descriptor, buffer.baseAddress.map { $0 + filled }, wanted - filled)
                if count > 0 {
                    filled += count
                } else if count == 0 {
                    break
                } else if errno != EINTR {
                    failure = systemError()
                    break
                }
            }
        }
        if let failure { throw failure }
        return (bytes, size)
    }

    private static func systemError() -> TrainingError {
        TrainingError("cannot be read: " + String(cString: strerror(errno)))
    }

    private static func refusal(_ error: ImageError) -> TrainingError { TrainingError(error.description) }
}
