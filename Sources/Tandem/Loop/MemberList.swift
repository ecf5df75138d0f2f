// SPDX-License-Identifier: Apache-2.0
// MemberList: objects in the order in which they were added, each of which knows its place.
// Idea:   whoever is removed leaves an empty place, so that removing takes no search; when the list is full and half of
//         its places are empty, the others move up. A dictionary would need neither, but before the first dictionary of
//         a kind the runtime searches all conformances of the program, which takes 350,000 instructions.
// Owner:  the UI thread.

struct MemberList<Element>: ~Copyable {
    /// The place of what is in no list.
    static var none: Int32 { -1 }

    // Safe: allocated by this structure; the first `used` are initialised; freed in deinit.
    private var places: UnsafeMutablePointer<Element?>?
    private var capacity: Int32 = 0
    private var used: Int32 = 0
    private var filled: Int32 = 0
    /// Tells an object its place, which nobody else may change.
    private let setPlace: (Element, Int32) -> Void

    init(setPlace: @escaping (Element, Int32) -> Void) { self.setPlace = setPlace }

    deinit {
        places?.deinitialize(count: Int(used))
        places?.deallocate()
    }

    var count: Int { Int(filled) }
    var isEmpty: Bool { filled == 0 }

    /// The oldest first. O(n).
    var values: [Element] {
        guard let places, filled > 0 else { return [] }
        return (0..<Int(used)).compactMap { places[$0] }
    }

    /// Adds an object that is not in the list. O(1) on average.
    mutating func add(_ element: Element) {
        if used == capacity { makeRoom() }
        (places! + Int(used)).initialize(to: element)
        setPlace(element, used)
        used += 1
        filled += 1
    }

    /// Removes the object that has this place; nothing if it is ``none``. O(1) on average.
    mutating func remove(at place: Int32) {
        guard place >= 0, place < used, let places, let removed = places[Int(place)] else { return }
        places[Int(place)] = nil
        filled -= 1
        setPlace(removed, Self.none)
        while used > 0, places[Int(used) - 1] == nil { used -= 1 }
    }

    /// Removes all of them, and returns them, the oldest first. O(n).
    mutating func takeAll() -> [Element] {
        let taken = values
        for element in taken { setPlace(element, Self.none) }
        places?.deinitialize(count: Int(used))
        (used, filled) = (0, 0)
        return taken
    }

    private mutating func makeRoom() {
        if filled > used / 2 || places == nil { return grow() }
        // Half of the places are empty, so that as many additions pass before this is done again.
        let places = places!
        var next: Int32 = 0
        for place in 0..<Int(used) {
            guard let element = places[place] else { continue }
            places[place] = nil
            places[Int(next)] = element
            setPlace(element, next)
            next += 1
        }
        used = next
    }

    private mutating func grow() {
        let larger = max(8, 2 * capacity)
        let new = UnsafeMutablePointer<Element?>.allocate(capacity: Int(larger))
        if let places {
            new.moveInitialize(from: places, count: Int(used))
            places.deallocate()
        }
        places = new
        capacity = larger
    }
}
