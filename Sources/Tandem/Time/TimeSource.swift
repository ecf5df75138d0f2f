// SPDX-License-Identifier: Apache-2.0
// TimeSource: a source of a loop's time other than the machine's clock.

/// A source of time for a loop. `TandemTesting` has a virtual one, whose time moves only when it is told to.
///
/// The backend of a loop with virtual time never sleeps until a deadline, since a deadline in virtual time says nothing
/// about the kernel's clock. Whoever moves the time has to tick the loop.
public protocol TimeSource: Sendable {
    /// The present time. It never goes backwards.
    var now: ContinuousClock.Instant { get }

    /// Whether the time is moved by calls. `false` for a source that passes on the machine's clock. `true` by default.
    var isVirtual: Bool { get }

    /// Moves the present time to `instant`, if that is later. Called on the UI thread, by a host that would otherwise
    /// sleep until then.
    func advance(to instant: ContinuousClock.Instant)
}

extension TimeSource {
    /// True: the time is moved by calls.
    public var isVirtual: Bool { true }
}

/// A source in an object. A copy of the protocol's type needs the runtime's description of that type, which costs a start 50,000
/// instructions, also where there is no source.
final class KeptTimeSource: Sendable {
    let source: any TimeSource

    init(_ source: any TimeSource) { self.source = source }
}

extension GuestLoop {
    /// The source of time that the loop was made with; for code that drives the loop.
    package var configurationTimeSource: (any TimeSource)? { configuration.timeSource }
}
