// SPDX-License-Identifier: Apache-2.0
// Sprites: ships, drones and lights, as outlines that glow. Everything points up.

import Foundation

/// The distance of a place from a polygon's edge: negative inside.
private func distance(_ x: Double, _ y: Double, _ corners: [(Double, Double)]) -> Double {
    var nearest = Double.infinity
    var isInside = false
    var last = corners[corners.count - 1]
    for corner in corners {
        let edge = (corner.0 - last.0, corner.1 - last.1)
        let place = (x - last.0, y - last.1)
        let along = min(max((place.0 * edge.0 + place.1 * edge.1) / (edge.0 * edge.0 + edge.1 * edge.1), 0), 1)
        let gap = (place.0 - edge.0 * along, place.1 - edge.1 * along)
        nearest = min(nearest, (gap.0 * gap.0 + gap.1 * gap.1).squareRoot())
        if (corner.1 > y) != (last.1 > y), x < edge.0 * (y - last.1) / edge.1 + last.0 { isInside.toggle() }
        last = corner
    }
    return isInside ? -nearest : nearest
}

private func circle(_ x: Double, _ y: Double, _ radius: Double) -> Double { (x * x + y * y).squareRoot() - radius }

private func polygon(_ count: Int, _ radius: Double, turned: Double = 0) -> [(Double, Double)] {
    (0..<count).map {
        let angle = (Double($0) / Double(count) + turned) * 2 * .pi
        return (radius * sin(angle), -radius * cos(angle))
    }
}

/// A dark body, a bright edge and a glow around it.
private func neon(_ distance: Double, edge: Colour, body: Colour, shade: Double = 0) -> Colour {
    var colour = Colour.clear
    let glow = exp(-max(distance, 0) * 9) * 0.45
    colour = Colour(red: edge.red, green: edge.green, blue: edge.blue, alpha: distance > 0 ? glow : 0)
    if distance <= 0 {
        colour = body.mixed(with: edge, 0.12 + 0.5 * exp(distance * 7) + shade)
    }
    let line = exp(-pow(distance / 0.055, 2))
    return Colour(red: edge.red, green: edge.green, blue: edge.blue, alpha: line).over(colour)
        .mixed(with: Colour(0xFFFFFF, alpha: max(line, 0.001)), line * 0.35)
}

private func ship(_ edge: Colour, _ body: Colour) -> Canvas {
    let hull = [
        (0.0, -0.82), (0.24, -0.1), (0.72, 0.55), (0.3, 0.46), (0.0, 0.66), (-0.3, 0.46), (-0.72, 0.55), (-0.24, -0.1),
    ]
    return Canvas(width: 48, height: 48) { x, y in
        let cockpit = exp(-pow(((x * x * 4 + (y + 0.12) * (y + 0.12)).squareRoot()) / 0.17, 2))
        return Colour(0xEAFBFF, alpha: cockpit * 0.9).over(
            neon(distance(x, y, hull), edge: edge, body: body, shade: max(0, -y) * 0.15))
    }
}

private func light(_ size: Int, _ colour: Colour, core: Double) -> Canvas {
    Canvas(width: size, height: size) { x, y in
        let r = (x * x + y * y).squareRoot()
        let glow = pow(max(0, 1 - r), 2.2)
        let heart = exp(-pow(r / core, 2))
        return Colour(red: colour.red, green: colour.green, blue: colour.blue, alpha: min(1, glow + heart))
            .mixed(with: Colour(0xFFFFFF), heart * 0.9)
    }
}

/// Every picture but the font, by file name.
let sprites: [(name: String, canvas: @Sendable () -> Canvas)] = [
    ("ship-player.bmp", { ship(Colour(0x4DF3FF), Colour(0x0A2A44)) }),
    ("ship-bot.bmp", { ship(Colour(0x7CFF9B), Colour(0x0B3524)) }),
    // Among others each seat has a colour of its own, which the game gives this one.
    ("ship-seat.bmp", { ship(Colour(0xFFFFFF), Colour(0x303840)) }),
    (
        "drone-chaser.bmp",
        {
            let body = [(0.0, -0.78), (0.62, 0.62), (0.0, 0.3), (-0.62, 0.62)]
            return Canvas(width: 40, height: 40) { x, y in
                neon(distance(x, y, body), edge: Colour(0xFF4D6D), body: Colour(0x3A0714))
            }
        }
    ),
    (
        "drone-orbiter.bmp",
        {
            let body = polygon(6, 0.66)
            return Canvas(width: 40, height: 40) { x, y in
                let eye = exp(-pow(circle(x, y, 0.2) / 0.07, 2))
                return Colour(0xFFE29A, alpha: eye).over(
                    neon(distance(x, y, body), edge: Colour(0xFFB347), body: Colour(0x3B2205)))
            }
        }
    ),
    (
        "drone-splitter.bmp",
        {
            let body = polygon(8, 0.74, turned: 1.0 / 16)
            return Canvas(width: 64, height: 64) { x, y in
                let seam = exp(-pow(x / 0.04, 2)) * (abs(y) < 0.6 ? 1 : 0)
                return Colour(0xF5C6FF, alpha: seam * 0.8).over(
                    neon(distance(x, y, body), edge: Colour(0xD46BFF), body: Colour(0x2A0B3D)))
            }
        }
    ),
    (
        "cell.bmp",
        {
            let body = polygon(4, 0.62)
            return Canvas(width: 32, height: 32) { x, y in
                let heart = exp(-pow((x * x + y * y).squareRoot() / 0.2, 2))
                return Colour(0xFFFFFF, alpha: heart).over(
                    neon(distance(x, y, body), edge: Colour(0xF7FF5C), body: Colour(0x3A3D05)))
            }
        }
    ),
    (
        "beacon.bmp",
        {
            let core = polygon(6, 0.34, turned: 1.0 / 12)
            return Canvas(width: 96, height: 96) { x, y in
                let ring = exp(-pow(circle(x, y, 0.66) / 0.035, 2))
                let angle = atan2(y, x) * 6 / .pi
                let gap = abs(angle - angle.rounded()) > 0.12 ? 1.0 : 0.0
                let halo = exp(-max(0, circle(x, y, 0.3)) * 4) * 0.3
                return Colour(0x9AD0FF, alpha: ring * gap)
                    .over(neon(distance(x, y, core), edge: Colour(0xBFE3FF), body: Colour(0x123A66)))
                    .over(Colour(0x4FA8FF, alpha: halo))
            }
        }
    ),
    ("shot-friendly.bmp", { light(16, Colour(0x66F6FF), core: 0.35) }),
    ("shot-hostile.bmp", { light(18, Colour(0xFF6A4D), core: 0.35) }),
    ("glow.bmp", { light(64, Colour(0xFFFFFF), core: 0.12) }),
]
