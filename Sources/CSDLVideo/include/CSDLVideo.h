// SPDX-License-Identifier: Apache-2.0
// CSDLVideo: what SDL's video driver waits on. A target of its own, so that X11's many short names stay out of Swift.
#ifndef TANDEM_CSDLVIDEO_H
#define TANDEM_CSDLVIDEO_H

/// Main thread: the descriptor of SDL's connection to the X server; -1 on other drivers, and as long as there is no window to ask by.
int tandem_x11_connection(void);

#endif
