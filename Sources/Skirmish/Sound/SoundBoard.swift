// SPDX-License-Identifier: Apache-2.0
// SoundBoard: plays sounds and music through SDL's own audio. Without a device it is silent, and nobody is told.
// Idea:   SDL's audio thread mixes the voices that sound; the game adds voices under the device's lock.

import SkirmishRules
import TandemSDL

final class SoundBoard {
    enum Cue: String { case wave, move, choose }

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

    func take(_ sounds: [String: [Int16]]) {
        self.sounds = sounds
        withMixer { $0.music = sounds["music.wav"] ?? [] }
    }

    /// 0…10 each.
    func set(volume: Int, music: Int) {
        withMixer { $0.set(volume: volume, music: music) }
    }

    func play(_ cue: Cue) { play(cue.rawValue) }

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
        guard let samples = sounds[name + ".wav"] else { return }
        withMixer { $0.add(samples) }
    }

    private func withMixer(_ body: (Mixer) -> Void) {
        guard device != 0 else { return }
        SDL_LockAudioDevice(device)
        body(mixer)
        SDL_UnlockAudioDevice(device)
    }
}

/// What the audio thread reads.
private nonisolated final class Mixer: @unchecked Sendable {
    // Safe to send: SDL calls `fill` with the device's lock held, and everything else is called with it.
    private var voices: [(samples: [Int16], position: Int)] = []
    private static let most = 16
    /// Goes round and round.
    var music: [Int16] = [] { didSet { position = 0 } }
    private var position = 0
    /// Of 256.
    private var volume: Int32 = 60
    private var musicVolume: Int32 = 60

    func set(volume: Int, music: Int) {
        self.volume = Int32(volume) * 12
        musicVolume = Int32(music) * 12
    }

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
                sum += Int32(voice.samples[voice.position + index]) * volume / 256
            }
            if !music.isEmpty {
                sum += Int32(music[position]) * musicVolume / 256
                position = position + 1 == music.count ? 0 : position + 1
            }
            buffer[index] = Int16(clamping: sum)
        }
        for voice in voices.indices { voices[voice].position += buffer.count }
        voices.removeAll { $0.position >= $0.samples.count }
    }
}
