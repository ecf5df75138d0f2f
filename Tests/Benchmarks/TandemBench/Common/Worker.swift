// SPDX-License-Identifier: Apache-2.0
// Worker: a thread, and what threads have used.

import Glibc

/// A thread that is waited for.
struct Worker {
    private let thread: pthread_t

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    init(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        // Safe: the thread takes the reference over.
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(Body(body)).toOpaque())
        self.thread = thread
    }

    func join() { pthread_join(thread, nil) }
}

/// What the process (0) or the calling thread (1) has used.
struct Usage {
    let nanoseconds: Int64
    let switches: Int
    let wakeups: Int

    init(of whom: Int32 = 0) {
        var usage = rusage()
        getrusage(whom, &usage)
        let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
        nanoseconds = Int64(seconds) * 1_000_000_000 + Int64(microseconds) * 1000
        wakeups = usage.ru_nvcsw
        switches = usage.ru_nvcsw + usage.ru_nivcsw
    }
}
