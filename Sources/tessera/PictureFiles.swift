import Foundation
import TokenService
import TokenizerCore

extension Files {
    /// A picture as the model takes it.
    static func picture(
        _ file: String, _ parameters: EncodeParameters, for contract: TokenContract
    ) throws -> PreparedPicture {
        try Processing.prepare(
            read(file), options: parameters.picture, preprocessing: contract.preprocessing, limits: ServiceLimits())
    }

    /// The pictures that are meant by `paths`: of a folder, the files named .png, .jpg or .jpeg in it and in the folders
    /// below, sorted by path; every other path is taken as it is.
    ///
    /// Names that begin with a dot are left out, and links to folders aren't followed.
    /// - Throws: where a folder can't be listed or holds no pictures.
    static func pictures(_ paths: [String]) throws -> [String] {
        try paths.flatMap { path in
            guard isDirectory(path) else { return [path] }
            let found = try list(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
            guard !found.isEmpty else { throw CommandFailure("\(path): no .png, .jpg or .jpeg files in this folder") }
            return found.sorted()
        }
    }

    private static func list(_ folder: String) throws -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw CommandFailure("\(folder): cannot be listed: \(reason(error))")
        }
        return try names.filter { !$0.hasPrefix(".") }.flatMap { name in
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            if isDirectory(path) { return isLink(path) ? [] : try list(path) }
            return isPicture(name) ? [path] : []
        }
    }

    private static func isPicture(_ name: String) -> Bool {
        let name = name.lowercased()
        return [".png", ".jpg", ".jpeg"].contains { name.hasSuffix($0) }
    }

    private static func isLink(_ path: String) -> Bool {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
    }
}
