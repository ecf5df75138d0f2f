// SPDX-License-Identifier: Apache-2.0
// CallSite: where a callback was scheduled, in 12 bytes, so that carrying it costs next to nothing.

/// A place in the source: the file and line of the call that scheduled something.
public struct CallSite: Sendable, Hashable, CustomStringConvertible {
    /// The address of the file's name, in halves, as a pointer would be aligned to 8 bytes and cost 4 in what carries the site.
    private let startLow: UInt32
    private let startHigh: UInt32
    /// The line, and in the low 12 bits the length of the name.
    private let lineAndCount: UInt32

    private static let mostLines: UInt = (1 << 20) - 1
    private static let longestName = (1 << 12) - 1

    /// The line, counted from 1; in a file of more than a million, the millionth.
    public var line: UInt32 { lineAndCount >> 12 }

    /// Made by default arguments: `fileID` and `line` are the caller's.
    public init(fileID: StaticString = #fileID, line: UInt = #line) {
        // A literal that is a single scalar has no pointer; a file's name never is one.
        let literal = fileID.hasPointerRepresentation ? fileID : "?/?"
        let start = UInt64(UInt(bitPattern: literal.utf8Start))
        startLow = UInt32(truncatingIfNeeded: start)
        startHigh = UInt32(truncatingIfNeeded: start >> 32)
        lineAndCount =
            UInt32(min(line, Self.mostLines)) << 12 | UInt32(min(literal.utf8CodeUnitCount, Self.longestName))
    }

    /// The module and file, as in `#fileID`.
    public var fileID: String {
        // Safe: points into a string literal, which lives as long as the program does.
        let start = UnsafePointer<UInt8>(bitPattern: UInt(UInt64(startHigh) << 32 | UInt64(startLow)))
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(lineAndCount & 0xFFF)), as: UTF8.self)
    }

    /// `Module/File.swift:line`.
    public var description: String { "\(fileID):\(line)" }
}
