// SPDX-License-Identifier: Apache-2.0
// Music: a loop of four bars: bass, chords that swell, and a figure above them. It ends where it begins.

import Foundation

private let beat = 60.0 / 100
private let length = beat * 16

/// The pitch of a note, in half tones from A at 220 Hz.
private func pitch(_ note: Int) -> Double { 220 * pow(2, Double(note) / 12) }

/// A bar each: A minor, F, C, G.
private let chords = [[0, 3, 7], [-4, 0, 3], [3, 7, 10], [-2, 2, 5]]
private let figure = [12, 7, 15, 7, 12, 19, 15, 7, 12, 7, 15, 10, 14, 10, 17, 10]

/// A plucked tone; each note ends within its own time, so that the loop has no seam.
private func pluck(_ time: Double, _ length: Double, _ frequency: Double, decay: Double) -> Double {
    let swing = sin(2 * .pi * frequency * time) + 0.35 * sin(4 * .pi * frequency * time)
    return swing * exp(-time * decay) * min(1, (length - time) * 60, time * 400)
}

private func sample(_ time: Double) -> Double {
    let bar = min(3, Int(time / (beat * 4)))
    let inBar = time - Double(bar) * beat * 4
    let eighth = beat / 2
    let step = Int(time / eighth)
    let inStep = time - Double(step) * eighth
    let swell = 0.5 - 0.5 * cos(2 * .pi * inBar / (beat * 4))
    let chord = chords[bar].reduce(0.0) { $0 + sin(2 * .pi * pitch($1) * time) * 0.07 * swell }
    let bass = pluck(inStep, eighth, pitch(chords[bar][0] - 24), decay: step % 2 == 0 ? 5 : 9) * 0.26
    let above = pluck(inStep, eighth, pitch(figure[(step + bar * 2) % 16]), decay: 8) * 0.1
    return chord + bass + above
}

let music = wav(length, fades: false, sample)
