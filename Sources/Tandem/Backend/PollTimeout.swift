// SPDX-License-Identifier: Apache-2.0
// PollTimeout: how long a poll may sleep. Pure, and tested alone.

enum PollTimeout: Equatable, Sendable {
    /// Nothing is scheduled: sleep until a descriptor or the wake pipe.
    case forever
    /// Sleep at most so many nanoseconds; with zero the poll does not sleep.
    case nanoseconds(Int64)

    /// The timeout until the published deadline.
    init(deadline: Nanoseconds, now: Nanoseconds) {
        if deadline == .never {
            self = .forever
        } else {
            let (difference, overflow) = deadline.subtractingReportingOverflow(now)
            self = .nanoseconds(overflow ? (deadline > now ? .max : 0) : max(0, difference))
        }
    }

    /// In milliseconds, as `epoll_wait` counts, rounded up so that no timer is early; -1 is for ever.
    var milliseconds: Int32 {
        switch self {
        case .forever: -1
        case .nanoseconds(let nanoseconds):
            Int32(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1))
        }
    }
}
