// SPDX-License-Identifier: Apache-2.0
// CallSite: the place in the source where a callback was scheduled, in 8 bytes, so that storing it costs next to
//           nothing.

/// A place in the source: the file and line of the call that scheduled something.
public struct CallSite: Sendable, Hashable, CustomStringConvertible {
    /// The address of the file's name, a zero-terminated string: 48 bits, which is what addresses have in user space on
    /// Linux. It is stored in parts, since one field of eight bytes would have to be aligned to eight, and would make
    /// the structs that contain a site four bytes larger.
    private let startLow: UInt32
    private let startHigh: UInt16
    private let shortLine: UInt16

    /// The line, counted from 1; at most 65,535.
    public var line: UInt32 { UInt32(shortLine) }

    /// Made by default arguments: `fileID` and `line` are the caller's.
    @inline(__always) public init(fileID: StaticString = #fileID, line: UInt = #line) {
        // A literal of a single scalar has no pointer, but a file's name is never that short.
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

    /// As a number, for an atomic variable.
    var bits: UInt64 { UInt64(startLow) | UInt64(startHigh) << 32 | UInt64(shortLine) << 48 }

    init(bits: UInt64) {
        startLow = UInt32(truncatingIfNeeded: bits)
        startHigh = UInt16(truncatingIfNeeded: bits >> 32)
        shortLine = UInt16(truncatingIfNeeded: bits >> 48)
    }

    /// The place is not known: the caller is generic code of the standard library, or a property, which is not told its
    /// caller's place.
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
