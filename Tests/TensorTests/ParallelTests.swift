import Foundation
import Testing

@testable import Tensor

@Suite(.serialized)
struct ParallelTests {
    /// Kernels take scratch for each of `threads`, and find theirs by `threadIndex`: inside a parallel body too, where
    /// libgomp's number for what would start there can be another (`OMP_NUM_THREADS=4,1`; set by hand here).
    @Test func indicesAreBelowTheNumberOfThreads() {
        let outside = Compute.threads
        Compute.setThreads(4)
        defer { Compute.setThreads(outside) }
        let found = UnsafeMutableBufferPointer<(index: Int, threads: Int)>.allocate(capacity: 64)
        defer { found.deallocate() }
        Compute.parallel(found.count) { i in
            Compute.setThreads(1)
            usleep(1000)
            found[i] = (Compute.threadIndex, Compute.threads)
        }
        #expect(found.map(\.index).max() ?? 0 > 0)
        for (index, threads) in found { #expect(index < threads) }
        #expect(Compute.threads == 4)
    }
}
