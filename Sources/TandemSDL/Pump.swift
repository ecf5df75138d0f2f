// SPDX-License-Identifier: Apache-2.0
// Pump: when SDL has to look for input.
// Idea:   on x11 a pump asks the server's connection four times, also if nothing has come, which takes longer than all else that a wait does.
//         Between two sleeps that watched the connection and found nothing there it is left out: what an X event would have passed
//         by is the connection, and what other calls have read from it stands in Xlib's memory, which can be looked at.
// Owner:  the main thread.

import Tandem
import TandemCLinux
import TandemCSDL
import TandemCSDLVideo

@MainActor
struct Pump {
    /// However busy the loop is, input is looked for within this time, in nanoseconds.
    private static let longestRest: Int64 = 1_000_000

    /// There is a connection, and nothing has come by way of it since the last pump, as far as the last sleep saw.
    private var isQuiet = false
    /// Read only where there is a connection: without one, each wait pumps, whatever the time.
    private var lastLook: Int64 = 0

    /// Takes what the driver has into SDL's queue.
    mutating func run() {
        SDL_PumpEvents()
        isQuiet = tandem_x11_note_pump()
        if isQuiet { lastLook = tandem_clock_nanoseconds() }
    }

    /// Does so unless nothing can have come. `pace`: the driver's, see `SDLDriver.pumpPace`.
    mutating func runIfDue(pace: @autoclosure () -> Int64?) {
        // The pace last: SDL takes 120 instructions to say which of its subsystems run, and most drivers never rest.
        let mayRest = isQuiet && tandem_x11_is_still() && pace() == nil
        if !mayRest || tandem_clock_nanoseconds() - lastLook > Self.longestRest { run() }
    }

    /// A sleep has ended. It has watched the connection, unless the thread stayed awake.
    mutating func note(_ wake: Wake) {
        guard isQuiet, !wake.hasStayedAwake else { return }
        if wake.sawDescriptor { isQuiet = false }
        lastLook = tandem_clock_nanoseconds()
    }
}
