// SPDX-License-Identifier: Apache-2.0
// TandemCSDLVideo: what SDL's video driver waits on. A target of its own, so that X11's many short names stay out of Swift.
#ifndef TANDEM_CSDLVIDEO_H
#define TANDEM_CSDLVIDEO_H

#include <stdbool.h>

/// Main thread: the descriptor of SDL's connection to the X server; -1 on other drivers, and as long as there is no window to ask by.
int tandem_x11_connection(void);

/// Remembers that SDL has just been pumped. Returns whether there is a connection. Main thread.
bool tandem_x11_note_pump(void);
/// Whether SDL's x11 driver has nothing to do since then but to read its connection: no event stands in Xlib's memory, and no request
/// waits to be sent. Main thread.
bool tandem_x11_is_still(void);

#endif
