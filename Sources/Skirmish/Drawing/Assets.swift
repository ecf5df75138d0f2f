// SPDX-License-Identifier: Apache-2.0
// Assets: pictures and sounds, read on other threads and finished on this one.
// Idea:   each file is a child task that reads elsewhere; the main actor takes them as they come, shows the progress and draws on.

import Foundation
import Tandem
import TandemSDL

nonisolated enum AssetNames {
    static let font = "font.bmp"
    static let headlines = "font-large.bmp"
    static let pictures = [
        "ship-player", "ship-bot", "ship-seat", "drone-chaser", "drone-orbiter", "drone-splitter", "cell", "beacon",
        "shot-friendly",
        "shot-hostile", "glow",
    ].map { $0 + ".bmp" }
    static let sounds = [
        "shot", "hit", "explosion", "gather", "alarm", "wave", "over", "blip", "move", "choose", "music",
    ].map { $0 + ".wav" }
}

/// A texture and its size.
final class Picture {
    let texture: OpaquePointer
    let width: Int32
    let height: Int32

    init(_ renderer: OpaquePointer, _ surface: LoadedSurface) throws {
        guard let texture = SDL_CreateTextureFromSurface(renderer, surface.raw) else {
            throw Trouble("SDL made no texture: \(lastSDLError)")
        }
        self.texture = texture
        width = surface.raw.pointee.w
        height = surface.raw.pointee.h
        SDL_SetTextureBlendMode(texture, SDL_BLENDMODE_BLEND)
    }
    // Textures go with their renderer; the game keeps its few to the end.
}

/// Pixels in memory, on their way from the reading thread to the main actor.
nonisolated final class LoadedSurface: @unchecked Sendable {
    // Safe to send: one owner at a time, and nothing writes to the pixels.
    let raw: UnsafeMutablePointer<SDL_Surface>

    init(reading file: String) throws {
        guard let source = SDL_RWFromFile(file, "rb"), let raw = SDL_LoadBMP_RW(source, 1) else {
            throw Trouble(
                "the picture \(file) is missing or no BMP (\(lastSDLError)); run MakeAssets, or name the folder with --assets"
            )
        }
        self.raw = raw
    }

    deinit { SDL_FreeSurface(raw) }
}

struct Assets {
    let font: Picture
    let headlines: Picture
    let pictures: [String: Picture]
    let sounds: [String: [Int16]]

    subscript(name: String) -> Picture { pictures[name + ".bmp"]! }

    /// Reads everything, side by side, on threads that may block; `progress` gets 0…1.
    static func load(_ folder: String, _ stage: Stage, progress: (Double) -> Void) async throws -> Assets {
        let loop = stage.guest.loop
        let names = [AssetNames.font, AssetNames.headlines] + AssetNames.pictures
        let total = Double(names.count + AssetNames.sounds.count)
        var pictures: [String: Picture] = [:]
        var sounds: [String: [Int16]] = [:]
        func advance() { progress(Double(pictures.count + sounds.count) / total) }

        try await withThrowingTaskGroup(of: (String, LoadedSurface).self) { group in
            for name in names {
                group.addTask { (name, try await loop.offload { try LoadedSurface(reading: "\(folder)/\(name)") }) }
            }
            for try await (name, surface) in group {
                pictures[name] = try Picture(stage.window.renderer, surface)
                advance()
            }
        }
        try await withThrowingTaskGroup(of: (String, [Int16]).self) { group in
            for name in AssetNames.sounds {
                group.addTask { (name, try await loop.offload { try readSound("\(folder)/\(name)") }) }
            }
            for try await (name, sound) in group {
                sounds[name] = sound
                advance()
            }
        }
        return Assets(
            font: pictures[AssetNames.font]!, headlines: pictures[AssetNames.headlines]!, pictures: pictures,
            sounds: sounds)
    }

    private nonisolated static func readSound(_ file: String) throws -> [Int16] {
        var format = SDL_AudioSpec()
        var bytes: UnsafeMutablePointer<UInt8>?
        var length: UInt32 = 0
        guard let source = SDL_RWFromFile(file, "rb"), SDL_LoadWAV_RW(source, 1, &format, &bytes, &length) != nil,
            let bytes
        else {
            throw Trouble(
                "the sound \(file) is missing or no WAV (\(lastSDLError)); run MakeAssets, or name the folder with --assets"
            )
        }
        defer { SDL_FreeWAV(bytes) }
        guard format.channels == 1, format.format == SDL_AudioFormat(AUDIO_S16LSB), format.freq == 22_050 else {
            throw Trouble("the sound \(file) is not 16 bits, one channel, 22,050 samples a second; run MakeAssets")
        }
        // SDL's buffer is aligned for any sample.
        return bytes.withMemoryRebound(to: Int16.self, capacity: Int(length) / 2) {
            Array(UnsafeBufferPointer(start: $0, count: Int(length) / 2))
        }
    }
}
