// SPDX-License-Identifier: Apache-2.0
// Vector: positions, velocities and directions in the arena. No trigonometry: a direction is a vector of length one.

/// A point or a direction in the arena; x to the right, y down, in the arena's units.
public struct Vector: Sendable, Hashable {
    public var x: Double
    public var y: Double

    public init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }

    public static let zero = Vector(0, 0)

    public static func + (a: Vector, b: Vector) -> Vector { Vector(a.x + b.x, a.y + b.y) }
    public static func - (a: Vector, b: Vector) -> Vector { Vector(a.x - b.x, a.y - b.y) }
    public static func * (a: Vector, factor: Double) -> Vector { Vector(a.x * factor, a.y * factor) }
    public static func += (a: inout Vector, b: Vector) { a = a + b }

    public var squaredLength: Double { x * x + y * y }
    public var length: Double { squaredLength.squareRoot() }

    /// The same direction with length one; zero stays zero.
    public var unit: Vector {
        let length = self.length
        return length > 0 ? self * (1 / length) : .zero
    }

    /// A quarter turn.
    public var perpendicular: Vector { Vector(-y, x) }

    public func isWithin(_ distance: Double, of other: Vector) -> Bool {
        (self - other).squaredLength <= distance * distance
    }

    /// No longer than `limit`.
    public func limited(to limit: Double) -> Vector {
        squaredLength > limit * limit ? unit * limit : self
    }
}
