// SPDX-License-Identifier: Apache-2.0
// CallSite: where a callback was scheduled, in 8 bytes, so that carrying it costs next to nothing.

/// A place in the source: the file and line of the call that scheduled something.
public struct CallSite: Sendable, Hashable, CustomStringConvertible {
    /// The address of the file's name, whose end is a zero: 48 bits, as many as user space has on Linux. Halves, since eight bytes in one would
    /// be aligned to eight, and cost what carries the site four.
    private let startLow: UInt32
    private let startHigh: UInt16
    private let shortLine: UInt16

    /// The line, counted from 1; in a file of more than 65,535, the last of these.
    public var line: UInt32 { UInt32(shortLine) }

    /// Made by default arguments: `fileID` and `line` are the caller's.
    @inline(__always) public init(fileID: StaticString = #fileID, line: UInt = #line) {
        // A literal that is a single scalar has no pointer; a file's name never is one.
        var start: UInt64 = fileID.hasPointerRepresentation ? UInt64(UInt(bitPattern: fileID.utf8Start)) : 0
        if start >> 48 != 0 { start = 0 }
        startLow = UInt32(truncatingIfNeeded: start)
        startHigh = UInt16(truncatingIfNeeded: start >> 32)
        shortLine = UInt16(clamping: line)
    }

    private init(unknownAt address: UInt32) {
        startLow = address
        startHigh = 0
        shortLine = 0
    }

    /// Nobody has told it: a call by generic code of the standard library's, or a property, which cannot ask its caller.
    package static var unknown: CallSite { CallSite(unknownAt: 0) }

    /// The place, unless it is unknown.
    var known: CallSite? { startLow == 0 && startHigh == 0 ? nil : self }

    /// The module and file, as in `#fileID`.
    public var fileID: String {
        // Safe: points at a string literal, which lives as long as the program does and ends with a zero.
        let start = UnsafePointer<CChar>(bitPattern: UInt(startHigh) << 32 | UInt(startLow))
        return start.map { String(cString: $0) } ?? "?/?"
    }

    /// `Module/File.swift:line`.
    public var description: String { "\(fileID):\(line)" }
}
