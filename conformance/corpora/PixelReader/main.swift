// A PNG or JPEG on standard input comes out as a PPM (P6) of the full-size 8-bit RGB that the service makes of it
// before it resizes: upright, over white, within the service's limits. A refusal goes to standard error, with exit code
// 1.
import Foundation
import ImageInput

do {
    let image = try decode([UInt8](FileHandle.standardInput.readDataToEndOfFile())).image
    let header = Data("P6 \(image.width) \(image.height) 255\n".utf8)
    FileHandle.standardOutput.write(header + Data(image.pixels))
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
