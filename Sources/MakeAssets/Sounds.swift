// SPDX-License-Identifier: Apache-2.0
// Sounds: waves, noise and envelopes, 16 bits, one channel, 22,050 samples a second.

import Foundation

private let rate = 22_050.0

/// A WAV file of a function of the time in seconds, -1…1.
func wav(_ seconds: Double, fades: Bool = true, _ sample: (Double) -> Double) -> Data {
    let count = Int(seconds * rate)
    var data = Data("RIFF".utf8)
    func word(_ value: Int) { withUnsafeBytes(of: UInt32(value).littleEndian) { data.append(contentsOf: $0) } }
    func half(_ value: Int) {
        withUnsafeBytes(of: UInt16(truncatingIfNeeded: value).littleEndian) { data.append(contentsOf: $0) }
    }
    word(36 + count * 2)
    data.append(Data("WAVEfmt ".utf8))
    word(16)
    half(1)
    half(1)
    word(Int(rate))
    word(Int(rate) * 2)
    half(2)
    half(16)
    data.append(Data("data".utf8))
    word(count * 2)
    for index in 0..<count {
        let time = Double(index) / rate
        // The last hundredth fades, so that no sound ends in a click.
        let fade = fades ? min(1, (seconds - time) * 100) : 1
        half(Int((min(max(sample(time) * fade, -1), 1) * 30_000).rounded()))
    }
    return data
}

/// A tone that glides from one pitch to another.
private func glide(_ time: Double, _ length: Double, from: Double, to: Double) -> Double {
    sin(2 * .pi * (from * time + (to - from) * time * time / (2 * length)))
}

/// Noise that is the same at every making: a hash of the sample's number.
private func noise(_ time: Double, _ pitch: Double) -> Double {
    var bits = UInt64(time * pitch) &* 0x9E37_79B9_7F4A_7C15
    bits = (bits ^ (bits >> 29)) &* 0xBF58_476D_1CE4_E5B9
    return Double(bits >> 40) / Double(1 << 23) - 1
}

/// Every sound, by file name.
let sounds: [(name: String, data: @Sendable () -> Data)] = [
    ("shot.wav", { wav(0.14) { glide($0, 0.14, from: 1500, to: 320) * exp(-$0 * 22) * 0.5 } }),
    (
        "hit.wav",
        { wav(0.09) { (noise($0, 9000) * 0.6 + glide($0, 0.09, from: 700, to: 300) * 0.5) * exp(-$0 * 45) * 0.6 } }
    ),
    (
        "explosion.wav",
        {
            wav(0.7) {
                (noise($0, 5200 * exp(-$0 * 3)) * 0.8 + glide($0, 0.7, from: 120, to: 35) * 0.6) * exp(-$0 * 5.5)
            }
        }
    ),
    ("gather.wav", { wav(0.22) { (sin(2 * .pi * ($0 < 0.08 ? 880 : 1320) * $0)) * exp(-$0 * 9) * 0.4 } }),
    (
        "alarm.wav",
        { wav(0.35) { glide($0, 0.35, from: 420, to: 250) * (sin(2 * .pi * 16 * $0) > 0 ? 0.5 : 0.15) * exp(-$0 * 3) } }
    ),
    (
        "wave.wav",
        {
            wav(0.6) { time in
                [0.0, 0.12, 0.24].map { start in
                    time < start ? 0 : sin(2 * .pi * (392 + start * 1100) * time) * exp(-(time - start) * 7)
                }.reduce(0, +) * 0.3
            }
        }
    ),
    (
        "over.wav",
        {
            wav(1.2) {
                glide($0, 1.2, from: 330, to: 70) * exp(-$0 * 2) * 0.5 + glide($0, 1.2, from: 247, to: 55)
                    * exp(-$0 * 2) * 0.3
            }
        }
    ),
    ("move.wav", { wav(0.04) { sin(2 * .pi * 620 * $0) * exp(-$0 * 70) * 0.35 } }),
    ("choose.wav", { wav(0.16) { sin(2 * .pi * ($0 < 0.05 ? 660 : 990) * $0) * exp(-$0 * 16) * 0.4 } }),
    ("music.wav", { music }),
    ("blip.wav", { wav(0.06) { sin(2 * .pi * 980 * $0) * exp(-$0 * 40) * 0.4 } }),
]
