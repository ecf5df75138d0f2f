// SPDX-License-Identifier: Apache-2.0
// Window: the window, its renderer, and pictures of it.

import SkirmishRules
import TandemSDL

final class Window {
    let window: OpaquePointer
    let renderer: OpaquePointer
    static let width = Int32(World.size.x)
    static let height = Int32(World.size.y)

    init(isHeadless: Bool, size: (width: Int, height: Int)? = nil) throws {
        SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "linear")
        let centred = Int32(bitPattern: SDL_WINDOWPOS_CENTERED_MASK)
        let flags = SDL_WINDOW_RESIZABLE.rawValue | SDL_WINDOW_SHOWN.rawValue
        guard
            let window = SDL_CreateWindow(
                "Skirmish", centred, centred, Int32(size?.width ?? Int(Self.width)),
                Int32(size?.height ?? Int(Self.height)), flags)
        else {
            throw Trouble("SDL opened no window: \(lastSDLError)")
        }
        let wanted = isHeadless ? SDL_RENDERER_SOFTWARE.rawValue : SDL_RENDERER_PRESENTVSYNC.rawValue
        guard
            let renderer = SDL_CreateRenderer(window, -1, wanted)
                ?? SDL_CreateRenderer(window, -1, SDL_RENDERER_SOFTWARE.rawValue)
        else {
            SDL_DestroyWindow(window)
            throw Trouble("SDL made no renderer: \(lastSDLError)")
        }
        self.window = window
        self.renderer = renderer
        SDL_RenderSetLogicalSize(renderer, Self.width, Self.height)
    }

    /// During a match a crosshair takes the pointer's place.
    var showsCursor = true {
        didSet { SDL_ShowCursor(showsCursor ? SDL_ENABLE : SDL_DISABLE) }
    }

    var isFullScreen = false {
        didSet { SDL_SetWindowFullscreen(window, isFullScreen ? SDL_WINDOW_FULLSCREEN_DESKTOP.rawValue : 0) }
    }

    /// In the middle of the screen, unless it fills that.
    func resize(_ width: Int, _ height: Int) {
        guard !isFullScreen else { return }
        SDL_SetWindowSize(window, Int32(width), Int32(height))
        let centred = Int32(bitPattern: SDL_WINDOWPOS_CENTERED_MASK)
        SDL_SetWindowPosition(window, centred, centred)
    }

    func clear() {
        SDL_SetRenderDrawColor(renderer, 5, 6, 16, 255)
        SDL_RenderClear(renderer)
    }

    func present() { SDL_RenderPresent(renderer) }

    /// The bar that is shown before there is a font to write with.
    func drawProgress(_ part: Double) {
        var frame = SDL_Rect(x: Self.width / 2 - 150, y: Self.height / 2 - 8, w: 300, h: 16)
        SDL_SetRenderDrawColor(renderer, 77, 243, 255, 255)
        SDL_RenderDrawRect(renderer, &frame)
        var bar = SDL_Rect(x: frame.x + 3, y: frame.y + 3, w: Int32(294 * part), h: 10)
        SDL_RenderFillRect(renderer, &bar)
    }

    /// Saves what was drawn last.
    func saveScreenshot(_ file: String) throws {
        // Pixels, whatever the picture's own units are.
        var (width, height) = (Self.width, Self.height)
        SDL_GetRendererOutputSize(renderer, &width, &height)
        guard let surface = SDL_CreateRGBSurfaceWithFormat(0, width, height, 32, SDL_PIXELFORMAT_ARGB8888.rawValue)
        else {
            throw Trouble("SDL made no surface: \(lastSDLError)")
        }
        defer { SDL_FreeSurface(surface) }
        SDL_RenderSetLogicalSize(renderer, 0, 0)
        defer { SDL_RenderSetLogicalSize(renderer, Self.width, Self.height) }
        guard
            SDL_RenderReadPixels(
                renderer, nil, SDL_PIXELFORMAT_ARGB8888.rawValue, surface.pointee.pixels, surface.pointee.pitch) == 0,
            SDL_SaveBMP_RW(surface, SDL_RWFromFile(file, "wb"), 1) == 0
        else {
            throw Trouble("cannot write \(file) (\(lastSDLError)); choose a folder that exists and is yours")
        }
    }
}
