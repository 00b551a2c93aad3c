import FilePaths
import Glibc

/// Keeps two runs out of one folder; the system lets it go with the process, however that ends.
final class FolderLock {
    private let descriptor: Int32

    /// - Parameter path: a folder that is there.
    init(_ path: String) throws(TrainingError) {
        descriptor = Path(path).open(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw TrainingError("\(path): cannot be opened: \(String(cString: strerror(errno)))")
        }
        // File systems without locks are taken as they are.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw TrainingError("\(path): another run is at work in this folder; expected one of its own")
        }
    }

    deinit { close(descriptor) }
}
