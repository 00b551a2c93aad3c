// The engine's operations and their stages, timed one at a time on request, so that another process can take turns with
// it.
//
// usage: tessera-bench THREADS PICTURE      PICTURE: 256x256 8-bit RGB, nothing but the pixels
//
// Reads lines on standard input, answers each with one:
//   load MODEL      MODEL as for `tessera serve --model`; answers the precision that it is computed in
//   ID OPERATION    the seconds it took; `Workload` has the operations
// What can't be done is answered with "error: " and why.
import Foundation
import Models
import TokenizerCore

/// A line on standard output at once: the other side waits for it.
func answer(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

let side = 256
let arguments = CommandLine.arguments
guard arguments.count == 3, let threads = Int(arguments[1]), threads > 0,
    let pixels = FileManager.default.contents(atPath: arguments[2]), pixels.count == side * side * 3
else {
    FileHandle.standardError.write(Data("usage: tessera-bench THREADS PICTURE (256x256x3 bytes)\n".utf8))
    exit(2)
}
let image = RGBImage(width: side, height: side, pixels: [UInt8](pixels))
var workloads: [String: Workload] = [:]
while let line = readLine() {
    let words = line.split(separator: " ", maxSplits: 1).map(String.init)
    do {
        if words.count == 2, words[0] == "load" {
            let loaded = try ModelLoader.load(ModelSource(parsing: words[1]), threads: threads)
            workloads[loaded.description.id] = Workload(loaded.tokenizer, image)
            answer(loaded.tokenizer.contract.precision.rawValue)
        } else if words.count == 2, let time = try workloads[words[0]]?.seconds(words[1]) {
            answer("\(time)")
        } else {
            answer("error: unknown '\(line)'")
        }
    } catch {
        answer("error: \(error)")
    }
}
