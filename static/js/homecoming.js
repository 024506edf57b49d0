// Progressive enhancement only: every page works without this file.
import { boards } from "./board.js";
import { completeQueries } from "./complete.js";
import { confirmForms } from "./confirm.js";
import { countQueries } from "./count.js";
import { focusKeys } from "./keys.js";
import { previewQueries } from "./preview.js";
import { liveSearch } from "./search.js";
import { refreshBlocks } from "./refresh.js";
import { submitOnce } from "./submit.js";
import { showTabs } from "./tabs.js";
import { openWide } from "./wide.js";

confirmForms();
submitOnce();
focusKeys();
completeQueries();
liveSearch();
countQueries();
previewQueries();
boards();
refreshBlocks();
showTabs();
openWide();
