// SPDX-License-Identifier: Apache-2.0
// OverlayTests: the pixels of the overlay, in a picture in memory. TANDEM_PICTURES names a folder where it is kept, to be looked at.

import Foundation
import TandemTesting
import Testing

@testable import TandemSDL

/// A picture in memory that SDL's software renderer draws into.
@MainActor private final class Picture {
    let surface: UnsafeMutablePointer<SDL_Surface>
    let renderer: OpaquePointer
    static let background: UInt32 = 0xFF20_1810

    init(width: Int32 = 480, height: Int32 = 240) throws {
        surface = try #require(
            SDL_CreateRGBSurfaceWithFormat(0, width, height, 32, SDL_PIXELFORMAT_ARGB8888.rawValue))
        renderer = try #require(SDL_CreateSoftwareRenderer(surface))
        clear()
    }

    isolated deinit {
        SDL_DestroyRenderer(renderer)
        SDL_FreeSurface(surface)
    }

    func clear() {
        SDL_SetRenderDrawColor(renderer, 0x20, 0x18, 0x10, 255)
        SDL_RenderClear(renderer)
    }

    subscript(x: Int, y: Int) -> UInt32 {
        // Safe: the callers stay within the surface, whose rows are `pitch` bytes apart.
        (surface.pointee.pixels + y * Int(surface.pointee.pitch) + x * 4).load(as: UInt32.self)
    }

    func finish() { SDL_RenderFlush(renderer) }

    /// The part that is painted over, as columns and rows.
    var painted: (columns: ClosedRange<Int>, rows: ClosedRange<Int>)? {
        var (left, right, top, bottom) = (Int.max, Int.min, Int.max, Int.min)
        for y in 0..<Int(surface.pointee.h) {
            for x in 0..<Int(surface.pointee.w) where self[x, y] != Self.background {
                (left, right, top, bottom) = (min(left, x), max(right, x), min(top, y), max(bottom, y))
            }
        }
        return left <= right ? (left...right, top...bottom) : nil
    }

    /// The characters that stand at a place, read by their points.
    func text(x: Double, y: Double, scale: Double) -> String {
        var line = ""
        for column in 0..<OverlayLayout.columns {
            let rows = (0..<OverlayFont.height).map { row in
                (0..<OverlayFont.width).reduce(UInt8(0)) { bits, point in
                    let place = (
                        Int(x + Double(column * OverlayText.advance + point) * scale), Int(y + Double(row) * scale)
                    )
                    return bits << 1 | (self[place.0, place.1] == OverlayColour.text.pixel ? 1 : 0)
                }
            }
            let found = OverlayFont.characters.first { Array(OverlayFont.rows(of: $0)) == rows }
            line += found.map { String(UnicodeScalar($0)) } ?? "\u{FFFD}"
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}

extension OverlayColour {
    fileprivate var pixel: UInt32 { 0xFF00_0000 | UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue) }
}

extension SDL {
    @Suite @MainActor struct OverlayTests {
        private func withOverlay(_ body: (SDLGuest, VirtualClock, Picture) throws -> Void) throws {
            let clock = VirtualClock()
            var configuration = Configuration.unhurried
            configuration.timeSource = clock
            try withGuest(configuration: configuration) { guest in
                guest.displayRate = { 60 }
                try body(guest, clock, Picture())
            }
        }

        @Test func theLettersAreAllDifferentAndSmallOnesAreCapitals() {
            let letters = OverlayFont.characters.map { Array(OverlayFont.rows(of: $0)) }
            #expect(letters.count == 69 && Set(letters).count == 69)
            #expect(OverlayFont.rows(of: UInt8(ascii: "g")) == OverlayFont.rows(of: UInt8(ascii: "G")))
            #expect(OverlayFont.rows(of: 200) == OverlayFont.rows(of: UInt8(ascii: "?")))
            #expect(OverlayFont.rows(of: UInt8(ascii: "T")) == [0b11111, 0b100, 0b100, 0b100, 0b100, 0b100, 0b100])
        }

        @Test(arguments: [FrameOverlay.Corner.topLeft, .topRight, .bottomLeft, .bottomRight])
        func theFiguresCanBeReadInThePicture(_ corner: FrameOverlay.Corner) throws {
            try withOverlay { guest, _, picture in
                guest.loop.callLater(.seconds(100)) {}
                guest.overlay.corner = corner
                guest.overlay.lines = ["level 3: 50% in 12 µs", "é"]
                guest.overlay.draw(picture.renderer)
                picture.finish()
                let statistics = guest.loop.statistics
                let layout = OverlayLayout(picture.renderer, scale: nil, corner: corner, lines: 2)
                @MainActor func line(_ number: Int) -> String {
                    picture.text(x: layout.x, y: layout.line(number), scale: 1)
                }
                #expect(statistics.timers >= 1)
                #expect(line(1) == "TIMERS \(statistics.timers), DESCRIPTORS \(statistics.registrations)")
                #expect(line(5) == "HINTS DROPPED \(statistics.hintsDropped)")
                #expect(line(6) == "LEVEL 3: 50% IN 12 US" && line(7) == "?")
                let (columns, rows) = try #require(picture.painted)
                #expect(columns.count == 236 && rows.count == 92 + 8 * 9)
                #expect(corner == .topLeft || corner == .bottomLeft ? columns.first == 4 : columns.last == 475)
                #expect(corner == .topLeft || corner == .topRight ? rows.first == 4 : rows.last == 235)
                if let folder = ProcessInfo.processInfo.environment["TANDEM_PICTURES"] {
                    SDL_SaveBMP_RW(picture.surface, SDL_RWFromFile("\(folder)/overlay-\(corner).bmp", "wb"), 1)
                }
            }
        }

        @Test func aLateFrameIsTallAndOrangeAndTheNewestStandsAtTheRight() throws {
            try withOverlay { guest, clock, picture in
                guest.overlay.corner = .topLeft
                guest.overlay.draw(picture.renderer)
                for time in [16, 16, 40, 8] {
                    clock.advance(by: .milliseconds(time))
                    picture.clear()
                    guest.overlay.draw(picture.renderer)
                }
                picture.finish()
                let layout = OverlayLayout(picture.renderer, scale: nil, corner: .topLeft, lines: 0)
                let graph = layout.graph(0, .milliseconds(1))
                /// How high the bar of a frame is, counted back from the newest, and its colour.
                @MainActor func bar(_ age: Int) -> (height: Int, colour: UInt32) {
                    let x = Int(graph.x) + (OverlayLayout.bars - 1 - age) * 2
                    let bottom = Int(graph.y + graph.height) - 1
                    let colour = picture[x, bottom]
                    let mark = OverlayColour.mark.pixel
                    return ((0..<30).prefix { [colour, mark].contains(picture[x, bottom - $0]) }.count, colour)
                }
                #expect(bar(0).colour == OverlayColour.frames.pixel && bar(0).height == 7)
                // More than the two periods that the graph is high.
                #expect(bar(1).colour == OverlayColour.late.pixel && bar(1).height == 30)
                #expect(bar(2).colour == OverlayColour.frames.pixel && bar(3).colour == OverlayColour.frames.pixel)
                #expect(![OverlayColour.frames.pixel, OverlayColour.late.pixel].contains(bar(4).colour))
                let title = picture.text(x: layout.x, y: layout.title(0), scale: 1)
                // The text is a quarter of a second old.
                #expect(title == "FRAME 0.00 MS, LONGEST 0.00")
                clock.advance(by: .milliseconds(250))
                picture.clear()
                guest.overlay.draw(picture.renderer)
                picture.finish()
                #expect(
                    picture.text(x: layout.x, y: layout.title(0), scale: 1) == "FRAME 250.00 MS, LONGEST 250.00")
            }
        }

        @Test func whatTheGameHasSetStaysAndAHiddenOneTouchesNothing() throws {
            try withOverlay { guest, clock, picture in
                SDL_SetRenderDrawColor(picture.renderer, 1, 2, 3, 4)
                SDL_SetRenderDrawBlendMode(picture.renderer, SDL_BLENDMODE_MOD)
                guest.overlay.isShown = false
                guest.overlay.draw(picture.renderer)
                picture.finish()
                #expect(picture.painted == nil)
                guest.overlay.isShown = true
                guest.overlay.draw(picture.renderer)
                var (red, green, blue, alpha, blend) = (UInt8(0), UInt8(0), UInt8(0), UInt8(0), SDL_BLENDMODE_NONE)
                SDL_GetRenderDrawColor(picture.renderer, &red, &green, &blue, &alpha)
                SDL_GetRenderDrawBlendMode(picture.renderer, &blend)
                #expect([red, green, blue, alpha] == [1, 2, 3, 4] && blend == SDL_BLENDMODE_MOD)
                picture.finish()
                #expect(picture.painted != nil)
                clock.advance(by: .seconds(1))
            }
        }

        @Test func itFollowsTheUnitsThatTheGameDrawsIn() throws {
            try withOverlay { guest, _, _ in
                let picture = try Picture(width: 960, height: 480)
                SDL_RenderSetLogicalSize(picture.renderer, 480, 240)
                guest.overlay.lines = [String(repeating: "long ", count: 20)]
                guest.overlay.draw(picture.renderer)
                picture.finish()
                let (columns, rows) = try #require(picture.painted)
                #expect(columns.count == 472 && columns.last == 951 && rows.first == 8)
                SDL_RenderSetLogicalSize(picture.renderer, 0, 0)
                picture.clear()
                guest.overlay.scale = 1.5
                guest.overlay.draw(picture.renderer)
                picture.finish()
                #expect(try #require(picture.painted).columns == (960 - 6 - 354)...(960 - 6 - 1))
            }
        }
    }
}
