import CKernels

extension Compute {
    /// Threads of the pool for the calling thread's work.
    public static var threads: Int { Int(tk_threads()) }

    /// Which of the pool's threads this is, 0 ..< `threads`, inside `parallel`.
    public static var threadIndex: Int { Int(tk_thread_index()) }

    /// Calls `body` with 0 ..< count, in any order, on the threads of the pool. Inside, kernels and layers run on the
    /// calling thread alone.
    public static func parallel(_ count: Int, _ body: (Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { pointer in
                tk_parallel(
                    count,
                    { context, index in context?.assumingMemoryBound(to: ((Int) -> Void).self).pointee(index) },
                    UnsafeMutableRawPointer(mutating: pointer))
            }
        }
    }
}
