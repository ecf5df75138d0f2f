// SPDX-License-Identifier: Apache-2.0
// CallSite: where a callback was scheduled, in 12 bytes, so that carrying it costs next to nothing.

/// A place in the source: the file and line of the call that scheduled something.
public struct CallSite: Sendable, Hashable, CustomStringConvertible {
    // Safe: points into a string literal, which lives as long as the program does.
    private nonisolated(unsafe) let start: UnsafePointer<UInt8>
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
        start = literal.utf8Start
        lineAndCount =
            UInt32(min(line, Self.mostLines)) << 12 | UInt32(min(literal.utf8CodeUnitCount, Self.longestName))
    }

    /// The module and file, as in `#fileID`.
    public var fileID: String {
        String(decoding: UnsafeBufferPointer(start: start, count: Int(lineAndCount & 0xFFF)), as: UTF8.self)
    }

    /// `Module/File.swift:line`.
    public var description: String { "\(fileID):\(line)" }
}
