// SPDX-License-Identifier: Apache-2.0
// Font: our own letters, as strokes on a grid of 4 by 6, drawn with a round pen. Small letters are small capitals.
//
// A glyph is strokes separated by blanks; a stroke is corners, each a column and a row: "06 00 40" would be three corners,
// written 06-00-40.

import Foundation

private let strokes: [Character: String] = [
    "A": "06-02-20-42-46 04-44", "B": "00-06-36-45-44-33-03 00-30-41-42-33", "C": "41-30-10-01-05-16-36-45",
    "D": "00-06-26-44-42-20-00", "E": "40-00-06-46 03-33", "F": "40-00-06 03-33", "G": "41-30-10-01-05-16-36-45-43-23",
    "H": "00-06 40-46 03-43", "I": "10-30 20-26 16-36", "J": "40-45-36-16-05", "K": "00-06 40-03-46", "L": "00-06-46",
    "M": "06-00-23-40-46", "N": "06-00-46-40", "O": "10-01-05-16-36-45-41-30-10", "P": "06-00-30-41-42-33-03",
    "Q": "10-01-05-16-36-45-41-30-10 24-46", "R": "06-00-30-41-42-33-03 23-46",
    "S": "41-30-10-01-02-13-33-44-45-36-16-05",
    "T": "00-40 20-26", "U": "00-05-16-36-45-40", "V": "00-26-40", "W": "00-16-23-36-40", "X": "00-46 40-06",
    "Y": "00-23-40 23-26", "Z": "00-40-06-46",
    "0": "10-01-05-16-36-45-41-30-10 32-14", "1": "11-20-26 16-36", "2": "01-10-30-41-42-06-46",
    "3": "00-40-23-33-44-45-36-16-05",
    "4": "36-30-04-44", "5": "40-00-02-32-43-45-36-06", "6": "40-10-02-05-16-36-45-44-33-03", "7": "00-40-16",
    "8": "10-01-02-13-33-42-41-30-10 13-04-05-16-36-45-44-33", "9": "06-36-44-41-30-10-01-02-13-43",
    ".": "26-26", ",": "25-17", ":": "22-22 25-25", ";": "22-22 25-17", "!": "20-24 26-26",
    "?": "01-10-30-41-42-23-24 26-26",
    "'": "20-22", "\"": "10-12 30-32", "-": "13-33", "+": "13-33 22-24", "=": "12-32 14-34", "_": "06-46", "/": "06-40",
    "\\": "00-46", "|": "20-26", "(": "30-21-25-36", ")": "10-21-25-16", "[": "30-10-16-36", "]": "10-30-36-16",
    "{": "30-21-22-13-24-25-36", "}": "10-21-22-33-24-25-16", "<": "31-13-35", ">": "11-33-15",
    "*": "21-25 12-34 32-14",
    "#": "11-15 31-35 02-42 04-44", "%": "06-40 01-01 45-45", "&": "46-12-11-20-31-13-04-05-16-26-43",
    "@": "33-23-24-34-32-21-12-14-25-45",
    "$": "41-01-13-33-45-05 20-26", "^": "12-20-32", "`": "10-21", "~": "03-12-33-42",
]

private struct Segment {
    let from: (Double, Double)
    let to: (Double, Double)

    func distance(_ x: Double, _ y: Double) -> Double {
        let edge = (to.0 - from.0, to.1 - from.1)
        let square = edge.0 * edge.0 + edge.1 * edge.1
        let along = square == 0 ? 0 : min(max(((x - from.0) * edge.0 + (y - from.1) * edge.1) / square, 0), 1)
        let gap = (x - from.0 - edge.0 * along, y - from.1 - edge.1 * along)
        return (gap.0 * gap.0 + gap.1 * gap.1).squareRoot()
    }
}

private func segments(_ character: Character) -> [Segment] {
    let isSmall = character.isLowercase
    let glyph = strokes[Character(character.uppercased())] ?? ""
    return glyph.split(separator: " ").flatMap { stroke -> [Segment] in
        let corners = stroke.split(separator: "-").map { corner -> (Double, Double) in
            let digits = corner.compactMap(\.wholeNumberValue).map(Double.init)
            return isSmall ? (digits[0] * 0.8 + 0.4, digits[1] * 0.76 + 1.44) : (digits[0], digits[1])
        }
        return zip(corners, corners.dropFirst()).map { Segment(from: $0, to: $1) }
    }
}

/// An atlas: 16 columns and 6 rows of cells, 16 by 24 pixels each at scale 1, for the characters from 32 to 127, white on clear.
func fontAtlas(scale: Double, pen: Double) -> Canvas {
    let cells = (32..<128).map { segments(Character(UnicodeScalar(UInt8($0)))) }
    let (cellWidth, cellHeight) = (16 * scale, 24 * scale)
    let (width, height) = (cellWidth * 16, cellHeight * 6)
    return Canvas(width: Int(width), height: Int(height)) { x, y in
        // From the canvas's own places back to pixels.
        let column = x * height / 2 + width / 2
        let row = y * height / 2 + height / 2
        let cell = Int(row / cellHeight) * 16 + Int(column / cellWidth)
        // Three pixels to a unit of the grid at scale 1, two pixels of margin.
        let place = (
            (column - Double(Int(column / cellWidth)) * cellWidth - 2 * scale) / (3 * scale),
            (row - Double(Int(row / cellHeight)) * cellHeight - 2.5 * scale) / (3 * scale)
        )
        let gap = cells[min(max(cell, 0), 95)].reduce(Double.infinity) { min($0, $1.distance(place.0, place.1)) }
        return Colour(0xFFFFFF, alpha: min(max((pen - gap) * 3 * scale, 0), 1))
    }
}

/// One for lines of text, one for headlines.
let fonts: [(name: String, canvas: @Sendable () -> Canvas)] = [
    ("font.bmp", { fontAtlas(scale: 1, pen: 0.62) }),
    ("font-large.bmp", { fontAtlas(scale: 2.5, pen: 0.45) }),
]
