// SPDX-License-Identifier: Apache-2.0
// Vector: positions, velocities and directions in the arena. No trigonometry: a direction is a vector of length one.

/// A point or a direction in the arena; x to the right, y down, in the arena's units.
package struct Vector: Sendable, Hashable {
    package var x: Double
    package var y: Double

    package init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }

    package static let zero = Vector(0, 0)

    package static func + (a: Vector, b: Vector) -> Vector { Vector(a.x + b.x, a.y + b.y) }
    package static func - (a: Vector, b: Vector) -> Vector { Vector(a.x - b.x, a.y - b.y) }
    package static func * (a: Vector, factor: Double) -> Vector { Vector(a.x * factor, a.y * factor) }
    package static func += (a: inout Vector, b: Vector) { a = a + b }

    package var squaredLength: Double { x * x + y * y }
    package var length: Double { squaredLength.squareRoot() }

    /// The same direction with length one; zero stays zero.
    package var unit: Vector {
        let length = self.length
        return length > 0 ? self * (1 / length) : .zero
    }

    /// A quarter turn.
    package var perpendicular: Vector { Vector(-y, x) }

    package func isWithin(_ distance: Double, of other: Vector) -> Bool {
        (self - other).squaredLength <= distance * distance
    }

    /// No longer than `limit`.
    package func limited(to limit: Double) -> Vector {
        squaredLength > limit * limit ? unit * limit : self
    }
}
