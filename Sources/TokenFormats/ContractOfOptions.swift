import Crypto
import ImageInput
import TokenizerCore

extension EncodeParameters {
    /// The contract that ids are made under with these options: the model's own where all that decides ids has its
    /// default, else one with a fingerprint over that and the options that differ.
    public func contract(of model: TokenContract) -> TokenContract {
        let defaults = PictureOptions()
        var differing: [String] = []
        if let assignment = encode.assignment, assignment != model.assignments.first {
            differing.append("assignment=\(assignment.rawValue)")
        }
        if picture.orientation != defaults.orientation { differing.append("exif=\(picture.orientation.rawValue)") }
        if picture.alpha != defaults.alpha { differing.append("alpha=\(picture.alpha.rawValue)") }
        guard !differing.isEmpty else { return model }
        var contract = model
        let lines = ([model.fingerprint] + differing).joined(separator: "\n")
        contract.fingerprint = hexadecimal(SHA256.hash(data: Array(lines.utf8)))
        return contract
    }
}

extension TokenContract {
    /// Whether some options make ids of this model under the contract of that fingerprint.
    func covers(_ wanted: String) -> Bool {
        if wanted == fingerprint { return true }
        var parameters = EncodeParameters()
        for assignment in assignments {
            parameters.encode.assignment = assignment
            for orientation in PictureOptions.Orientation.allCases {
                parameters.picture.orientation = orientation
                for alpha in PictureOptions.Alpha.allCases {
                    parameters.picture.alpha = alpha
                    if parameters.contract(of: self).fingerprint == wanted { return true }
                }
            }
        }
        return false
    }
}
