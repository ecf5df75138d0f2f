// SPDX-License-Identifier: Apache-2.0
// Interrupts: Ctrl-C, SIGTERM and SIGHUP (the terminal has gone) reach a sleeping game.
// Idea:   the handler writes an eventfd in the loop's epoll set and calls the handler that stood there before. SDL's own sets a
//         flag that the next pump turns into SDL_QUIT; where there was none, the event is pushed here.
// Owner:  the main thread, but for the handler in `TandemCLinux`.

import Glibc
import SystemPackage
import Tandem
import TandemCSDL

@MainActor
final class Interrupts {
    private let receiver: SignalReceiver
    private var watch: IOHandle?

    init(_ loop: GuestLoop) throws(GuestError) {
        receiver = try SignalReceiver()
        do throws(GuestError) {
            watch = try loop.serve(FileDescriptor(rawValue: receiver.descriptor)) { [receiver] in Self.answer(receiver)
            }
        } catch {
            Glibc.close(receiver.descriptor)
            throw error
        }
        for signal in [SIGINT, SIGTERM, SIGHUP] { _ = receiver.receive(signal, takes: false) }
        loop.closingActions.add { [self] in MainActor.assumeIsolated { end() } }
    }

    /// Puts the former handlers back and closes the descriptor.
    private func end() {
        guard let watch else { return }
        self.watch = nil
        receiver.end()
        watch.cancel()
        Glibc.close(receiver.descriptor)
    }

    private static func answer(_ receiver: SignalReceiver) {
        var isUnhandled = false
        while case let (number, wasHandled) = receiver.take(), number >= 0 {
            // Where SDL's own handler was called, it has seen to it.
            if !wasHandled { isUnhandled = true }
        }
        guard isUnhandled else { return }
        var event = SDL_Event()
        event.type = SDL_QUIT.rawValue
        SDL_PushEvent(&event)
    }
}
