// SPDX-License-Identifier: Apache-2.0
// OwnedArray: an array that has one owner and is never copied.
// Idea:   what a loop needs from its start on stands in these, and not in Swift's arrays: before the first array of a
//         kind the runtime makes a type for it out of its name, which takes up to 18,000 instructions and memory for
//         code that is not used otherwise. Of this structure it needs no type.
// Owner:  whoever has it; no lock.

struct OwnedArray<Element>: ~Copyable {
    // Safe: allocated by this structure; the first `count` elements are initialised; freed in deinit.
    private var elements: UnsafeMutablePointer<Element>
    private var capacity = 8
    private(set) var count = 0

    init() { elements = .allocate(capacity: capacity) }

    deinit {
        elements.deinitialize(count: count)
        elements.deallocate()
    }

    @inline(__always) subscript(index: Int) -> Element {
        // Not checked in an optimised program: each record that the loop looks up comes by here.
        assert(index >= 0 && index < count)
        return elements[index]
    }

    /// O(1) on average.
    mutating func append(_ element: Element) {
        if count == capacity { grow() }
        (elements + count).initialize(to: element)
        count += 1
    }

    /// O(n).
    mutating func remove(at index: Int) -> Element {
        precondition(index >= 0 && index < count)
        let removed = (elements + index).move()
        count -= 1
        (elements + index).moveInitialize(from: elements + index + 1, count: count - index)
        return removed
    }

    /// O(n).
    func firstIndex(where isWanted: (Element) -> Bool) -> Int? {
        for index in 0..<count where isWanted(elements[index]) { return index }
        return nil
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: 2 * capacity)
        larger.moveInitialize(from: elements, count: count)
        elements.deallocate()
        elements = larger
        capacity *= 2
    }
}
