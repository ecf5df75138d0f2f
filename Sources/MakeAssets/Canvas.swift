// SPDX-License-Identifier: Apache-2.0
// Canvas: pictures from formulas: each pixel is the mean of nine samples of a function.

import Foundation

/// A colour with opacity, each part 0…1, not premultiplied.
struct Colour {
    var red: Double
    var green: Double
    var blue: Double
    var alpha: Double = 1

    static let clear = Colour(red: 0, green: 0, blue: 0, alpha: 0)

    init(red: Double, green: Double, blue: Double, alpha: Double = 1) {
        (self.red, self.green, self.blue, self.alpha) = (red, green, blue, alpha)
    }

    /// As in a style sheet: 0xRRGGBB.
    init(_ hex: Int, alpha: Double = 1) {
        self.init(
            red: Double(hex >> 16 & 255) / 255, green: Double(hex >> 8 & 255) / 255, blue: Double(hex & 255) / 255,
            alpha: alpha)
    }

    func mixed(with other: Colour, _ part: Double) -> Colour {
        let part = min(max(part, 0), 1)
        return Colour(
            red: red + (other.red - red) * part, green: green + (other.green - green) * part,
            blue: blue + (other.blue - blue) * part, alpha: alpha + (other.alpha - alpha) * part)
    }

    /// This colour laid over another.
    func over(_ under: Colour) -> Colour {
        let sum = alpha + under.alpha * (1 - alpha)
        guard sum > 0 else { return .clear }
        func part(_ a: Double, _ b: Double) -> Double { (a * alpha + b * under.alpha * (1 - alpha)) / sum }
        return Colour(
            red: part(red, under.red), green: part(green, under.green), blue: part(blue, under.blue), alpha: sum)
    }
}

struct Canvas {
    let width: Int
    let height: Int
    private(set) var pixels: [UInt8]

    /// `colour` gets places from -1 to 1 along the shorter side, y down.
    init(width: Int, height: Int, _ colour: (Double, Double) -> Colour) {
        self.width = width
        self.height = height
        pixels = []
        pixels.reserveCapacity(width * height * 4)
        let scale = 2 / Double(min(width, height))
        for row in 0..<height {
            for column in 0..<width {
                var sum = Colour.clear
                for sample in 0..<9 {
                    let x = Double(column) + (Double(sample % 3) + 0.5) / 3 - Double(width) / 2
                    let y = Double(row) + (Double(sample / 3) + 0.5) / 3 - Double(height) / 2
                    let one = colour(x * scale, y * scale)
                    sum.red += one.red * one.alpha
                    sum.green += one.green * one.alpha
                    sum.blue += one.blue * one.alpha
                    sum.alpha += one.alpha
                }
                let alpha = max(sum.alpha, 1e-9)
                for part in [sum.blue / alpha, sum.green / alpha, sum.red / alpha, sum.alpha / 9] {
                    pixels.append(UInt8(min(max(part, 0), 1) * 255 + 0.5))
                }
            }
        }
    }

    /// A BMP file with a version 4 header: 32 bits, blue first, with alpha.
    var bmp: Data {
        var data = Data("BM".utf8)
        func word(_ value: Int) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian) { data.append(contentsOf: $0) }
        }
        func half(_ value: Int) { withUnsafeBytes(of: UInt16(value).littleEndian) { data.append(contentsOf: $0) } }
        let offset = 14 + 108
        word(offset + pixels.count)
        word(0)
        word(offset)
        word(108)
        word(width)
        word(height)
        half(1)
        half(32)
        word(3)  // BI_BITFIELDS
        word(pixels.count)
        for _ in 0..<4 { word(0) }
        for mask in [0x00FF_0000, 0x0000_FF00, 0x0000_00FF, 0xFF00_0000] { word(mask) }
        word(0x7352_4742)  // sRGB
        data.append(Data(count: 108 - 4 * 15))
        for row in (0..<height).reversed() { data.append(contentsOf: pixels[row * width * 4..<(row + 1) * width * 4]) }
        return data
    }
}
