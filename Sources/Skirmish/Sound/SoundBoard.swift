// SPDX-License-Identifier: Apache-2.0
// SoundBoard: plays sounds through SDL's own audio. Without a device it is silent, and nobody is told.
// Idea:   SDL's audio thread mixes the voices that sound; the game adds voices under the device's lock.

import SkirmishRules
import TandemSDL

final class SoundBoard {
    enum Cue { case wave }

    private let mixer = Mixer()
    private var device: SDL_AudioDeviceID = 0
    private var sounds: [String: [Int16]] = [:]

    init() {
        guard SDL_InitSubSystem(UInt32(SDL_INIT_AUDIO)) == 0 else { return }
        var wanted = SDL_AudioSpec()
        wanted.freq = 22_050
        wanted.format = SDL_AudioFormat(AUDIO_S16LSB)
        wanted.channels = 1
        wanted.samples = 512
        wanted.callback = Mixer.fill
        // Safe: the device is closed before the mixer goes.
        wanted.userdata = Unmanaged.passUnretained(mixer).toOpaque()
        device = SDL_OpenAudioDevice(nil, 0, &wanted, nil, 0)
        if device != 0 { SDL_PauseAudioDevice(device, 0) }
    }

    isolated deinit {
        if device != 0 { SDL_CloseAudioDevice(device) }
    }

    func take(_ sounds: [String: [Int16]]) { self.sounds = sounds }

    func play(_ cue: Cue) { play("wave") }

    func play(_ event: WorldEvent) {
        switch event {
        case .shot(_, let isHostile): play(isHostile ? "blip" : "shot")
        case .hit: play("hit")
        case .explosion, .shipLost: play("explosion")
        case .cellGathered: play("gather")
        case .beaconHit: play("alarm")
        case .shipReturned: play("blip")
        case .gameOver: play("over")
        }
    }

    private func play(_ name: String) {
        guard device != 0, let samples = sounds[name + ".wav"] else { return }
        SDL_LockAudioDevice(device)
        mixer.add(samples)
        SDL_UnlockAudioDevice(device)
    }
}

/// What the audio thread reads.
private nonisolated final class Mixer: @unchecked Sendable {
    // Safe to send: SDL calls `fill` with the device's lock held, and `add` is called with it.
    private var voices: [(samples: [Int16], position: Int)] = []
    private static let most = 16

    func add(_ samples: [Int16]) {
        if voices.count == Self.most { voices.removeFirst() }
        voices.append((samples, 0))
    }

    static let fill: @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt8>?, Int32) -> Void =
        {
            mixer, buffer, length in
            // Safe: the mixer outlives the device.
            let mixer = Unmanaged<Mixer>.fromOpaque(mixer!).takeUnretainedValue()
            buffer!.withMemoryRebound(to: Int16.self, capacity: Int(length) / 2) {
                mixer.mix(into: UnsafeMutableBufferPointer(start: $0, count: Int(length) / 2))
            }
        }

    private func mix(into buffer: UnsafeMutableBufferPointer<Int16>) {
        for index in buffer.indices {
            var sum: Int32 = 0
            for voice in voices where voice.position + index < voice.samples.count {
                sum += Int32(voice.samples[voice.position + index]) / 3
            }
            buffer[index] = Int16(clamping: sum)
        }
        for voice in voices.indices { voices[voice].position += buffer.count }
        voices.removeAll { $0.position >= $0.samples.count }
    }
}
