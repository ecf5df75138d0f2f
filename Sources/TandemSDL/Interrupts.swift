// SPDX-License-Identifier: Apache-2.0
// Interrupts: Ctrl-C and SIGTERM reach a sleeping game.
// Idea:   the handler writes an eventfd in the loop's epoll set and calls the handler that stood there before. SDL's own sets a
//         flag that the next pump turns into SDL_QUIT; where there was none, the event is pushed here.
// Owner:  the main thread, but for the handler in `TandemCLinux`.

import Glibc
import SystemPackage
import Tandem
import TandemCLinux
import TandemCSDL

@MainActor
final class Interrupts {
    private static let signals = [SIGINT, SIGTERM]
    private let descriptor: FileDescriptor
    private var watch: IOHandle?

    init(_ loop: GuestLoop) throws(GuestError) {
        let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard raw >= 0 else {
            throw GuestError(.startFailed, errno: Errno(rawValue: errno), "eventfd gave no descriptor for interrupts")
        }
        descriptor = FileDescriptor(rawValue: raw)
        do throws(GuestError) {
            watch = try loop.serve(descriptor) { [descriptor] in Self.answer(descriptor) }
        } catch {
            Glibc.close(raw)
            throw error
        }
        for signal in Self.signals { _ = tandem_interrupt_install(signal, raw) }
    }

    /// Puts the former handlers back and closes the descriptor.
    func end() {
        guard let watch else { return }
        for signal in Self.signals { tandem_interrupt_restore(signal) }
        watch.cancel()
        self.watch = nil
        Glibc.close(descriptor.rawValue)
    }

    private static func answer(_ descriptor: FileDescriptor) {
        var count: eventfd_t = 0
        eventfd_read(descriptor.rawValue, &count)
        var wasHandled = false
        guard tandem_interrupt_take(&wasHandled) != 0, !wasHandled else { return }
        var event = SDL_Event()
        event.type = SDL_QUIT.rawValue
        SDL_PushEvent(&event)
    }
}
