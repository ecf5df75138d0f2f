// SPDX-License-Identifier: Apache-2.0
// CallSite: where a callback was scheduled, in 16 bytes, so that carrying it costs next to nothing.

/// A place in the source: the file and line of the call that scheduled something.
public struct CallSite: Sendable, Hashable, CustomStringConvertible {
    // Safe: points into a string literal, which lives as long as the program does.
    private nonisolated(unsafe) let start: UnsafePointer<UInt8>
    private let count: UInt32
    /// The line, counted from 1.
    public let line: UInt32

    /// Made by default arguments: `fileID` and `line` are the caller's.
    public init(fileID: StaticString = #fileID, line: UInt = #line) {
        // A literal that is a single scalar has no pointer; a file's name never is one.
        let literal = fileID.hasPointerRepresentation ? fileID : "?/?"
        start = literal.utf8Start
        count = UInt32(literal.utf8CodeUnitCount)
        self.line = UInt32(truncatingIfNeeded: line)
    }

    /// The module and file, as in `#fileID`.
    public var fileID: String {
        String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// `Module/File.swift:line`.
    public var description: String { "\(fileID):\(line)" }
}
