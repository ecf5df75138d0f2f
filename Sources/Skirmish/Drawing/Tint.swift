// SPDX-License-Identifier: Apache-2.0
// Tint: the game's colours.

/// A colour, each part 0…1.
struct Tint {
    let red: Double
    let green: Double
    let blue: Double

    /// As in a style sheet: 0xRRGGBB.
    init(_ hex: Int) {
        self.init(Double(hex >> 16 & 255) / 255, Double(hex >> 8 & 255) / 255, Double(hex & 255) / 255)
    }

    private init(_ red: Double, _ green: Double, _ blue: Double) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    static let white = Tint(0xFFFFFF)
    static let text = Tint(0xDCEBFF)
    static let quiet = Tint(0x8FA8CC)
    static let cyan = Tint(0x4DF3FF)
    static let green = Tint(0x7CFF9B)
    static let yellow = Tint(0xF7FF78)
    static let orange = Tint(0xFFB347)
    static let red = Tint(0xFF4D6D)
    static let violet = Tint(0xD46BFF)
    static let blue = Tint(0x9AD0FF)

    /// Darker, or with less light; 0…1.
    func dimmed(_ part: Double) -> Tint {
        let part = min(max(part, 0), 1)
        return Tint(red * part, green * part, blue * part)
    }

    func mixed(with other: Tint, _ part: Double) -> Tint {
        Tint(
            red + (other.red - red) * part, green + (other.green - green) * part, blue + (other.blue - blue) * part)
    }

    /// As SDL wants it.
    var bytes: (UInt8, UInt8, UInt8) { (UInt8(red * 255), UInt8(green * 255), UInt8(blue * 255)) }
}
