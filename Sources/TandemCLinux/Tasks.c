// SPDX-License-Identifier: Apache-2.0
// Tasks: the two functions of Swift's runtime from which the standard library makes `withTaskCancellationHandler`. They stand in the
//        interface that it was compiled with (`_taskAddCancellationHandler`), and have had this form since Swift 5.5.

#include "Tasks.h"

#define SWIFT __attribute__((swiftcall))

typedef SWIFT void cancellation_handler(__attribute__((swift_context)) void *context);
SWIFT void *swift_task_addCancellationHandler(cancellation_handler *handler, void *context);
SWIFT void swift_task_removeCancellationHandler(void *record);

SWIFT static void on_cancel(__attribute__((swift_context)) void *wait) { tandem_wait_was_cancelled(wait); }

void *tandem_cancellation_begin(void *wait) { return swift_task_addCancellationHandler(on_cancel, wait); }

void tandem_cancellation_end(void *registration) { swift_task_removeCancellationHandler(registration); }
