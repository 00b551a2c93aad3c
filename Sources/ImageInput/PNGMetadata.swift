/// Where a PNG may state its orientation, in chunks before and after its pixels, found as Pillow's `PngImagePlugin` and
/// `Image.getexif` find it. What a chunk says takes the place of what one before it said under the same name.
struct PNGMetadata {
    /// A TIFF structure: the last eXIf chunk, or the last tEXt named "exif" if that comes later.
    private var exif: UnsafeRawBufferPointer?
    /// "Raw profile type exif": TIFF in hexadecimal digits, as ImageMagick and ExifTool write it.
    private var profile = PNGText(mustBeUnicode: true)
    /// "XML:com.adobe.xmp" as Pillow's text.
    private var xmp = PNGText(mustBeUnicode: true)
    /// The same as Pillow's bytes, from iTXt only, which need not be UTF-8.
    private var packet = PNGText(mustBeUnicode: false)

    init(_ bytes: Bytes) {
        var animation = PNGAnimation()
        var at = pngSignature.count
        while let length = bytes.u32(at), let content = bytes.slice(at + 8, length),
            let kind = bytes.slice(at + 4, 4), kind.allSatisfy(Self.isWordCharacter), !kind.elementsEqual("IEND".utf8),
            animation.isFirstFrame(kind, Bytes(raw: content))
        {
            take(kind, content)
            at += 12 + length
        }
    }

    /// 1...8; 1 where nothing is stated or it can't be read.
    var orientation: Int {
        var budget = PNGText.budget
        let stated: Int?
        if let exif {
            stated = exifOrientation(exif)
        } else {
            stated = profile.withText(&budget) { rawProfileOrientation($0) } ?? nil
        }
        return validOrientation(stated ?? xmpOrientation(&budget))
    }

    private func xmpOrientation(_ budget: inout Int) -> Int? {
        // A text without orientation still takes precedence over the bytes, an empty one doesn't.
        let stated = xmp.withText(&budget) { $0.isEmpty ? nil : ImageInput.xmpOrientation($0) ?? 1 } ?? nil
        return stated ?? packet.withText(&budget) { ImageInput.xmpOrientation($0) } ?? nil
    }

    private mutating func take(_ kind: UnsafeRawBufferPointer, _ content: UnsafeRawBufferPointer) {
        if kind.elementsEqual("eXIf".utf8) {
            exif = content
        } else if kind.elementsEqual("tEXt".utf8) {
            let (keyword, text) = Self.split(content)
            if keyword.elementsEqual("exif".utf8) {
                exif = Self.withoutPrefix(text)
            } else {
                change(keyword) { $0.replace(with: text) }
            }
        } else if kind.elementsEqual("zTXt".utf8) {
            let (keyword, rest) = Self.split(content)
            guard rest.first ?? 0 == 0 else { return }
            change(keyword) { $0.replace(withDeflated: UnsafeRawBufferPointer(rebasing: rest.dropFirst())) }
        } else if kind.elementsEqual("iTXt".utf8), let text = InternationalText(content) {
            change(text.keyword) { $0.take(text) }
            if text.keyword.elementsEqual("XML:com.adobe.xmp".utf8) { packet.take(text) }
        }
    }

    private mutating func change(_ keyword: UnsafeRawBufferPointer, _ body: (inout PNGText) -> Void) {
        if keyword.elementsEqual("Raw profile type exif".utf8) {
            body(&profile)
        } else if keyword.elementsEqual("XML:com.adobe.xmp".utf8) {
            body(&xmp)
        }
    }

    /// The bytes before and after the first zero; all and none if there is no zero.
    private static func split(
        _ content: UnsafeRawBufferPointer
    ) -> (keyword: UnsafeRawBufferPointer, rest: UnsafeRawBufferPointer) {
        let end = content.firstIndex(of: 0) ?? content.endIndex
        return (
            UnsafeRawBufferPointer(rebasing: content[..<end]),
            UnsafeRawBufferPointer(rebasing: content[end...].dropFirst())
        )
    }

    fileprivate static func withoutPrefix(_ exif: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let isPrefixed = exif.starts(with: "Exif\0\0".utf8)
        return UnsafeRawBufferPointer(rebasing: exif.dropFirst(isPrefixed ? 6 : 0))
    }

    /// Pillow reads no further at a chunk whose name has other bytes.
    private static func isWordCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }
}

/// Tag 274 of a raw profile: after three lines (empty, the profile's name, its size) TIFF in hexadecimal digits, with
/// or without "Exif\0\0" before it.
///
/// - Returns: as `exifOrientation`; 1 if there is something other than digits.
private func rawProfileOrientation(_ text: UnsafeRawBufferPointer) -> Int? {
    guard let exif = rawProfile(text) else { return 1 }
    return exif.withUnsafeBytes { exifOrientation(PNGMetadata.withoutPrefix($0)) }
}

/// The bytes of a raw profile as Python's `bytes.fromhex` takes them, lines joined: white space may stand between
/// bytes, not within one. `nil` for anything else.
private func rawProfile(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    let newline = UInt8(ascii: "\n")
    var lines = 0
    let start = text.firstIndex { byte in
        if byte == newline { lines += 1 }
        return lines == 3
    }
    guard let start else { return [] }
    var bytes: [UInt8] = []
    bytes.reserveCapacity((text.count - start) / 2)
    var high: UInt8?
    for byte in text[start...] where byte != newline {
        if let digit = hexadecimalDigit(byte) {
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        } else if high != nil || !(byte == 0x20 || (0x09...0x0D).contains(byte)) {
            return nil
        }
    }
    return high == nil ? bytes : nil
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}

/// Which chunks belong to the first frame of an animated PNG (PNG, third edition, 4.9). Pillow reads no others.
private struct PNGAnimation {
    private var frames: Int?
    private var hasFrameBeforeData = false
    private var hasData = false
    private var isAnimated: Bool { frames.map { $0 > 1 || !hasFrameBeforeData } ?? false }

    /// To be asked for each chunk in turn.
    mutating func isFirstFrame(_ kind: UnsafeRawBufferPointer, _ content: Bytes) -> Bool {
        if kind.elementsEqual("IDAT".utf8) {
            hasData = true
        } else if kind.elementsEqual("fcTL".utf8) {
            if hasData { return !isAnimated }
            hasFrameBeforeData = true
        } else if kind.elementsEqual("acTL".utf8), !hasData, content.count >= 8, let count = content.u32(0) {
            if frames != nil {
                frames = nil
            } else if (1...0x8000_0000).contains(count) {
                frames = count
            }
        }
        return true
    }
}
