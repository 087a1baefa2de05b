-- tools/vm/run.sh where there is no virtual machine. What runs in one is in spec/vm.
local helper = require "spec.support.helper"

describe("make test-vm #process", function()
  it("says that the machine cannot be had, and ends with a status of its own", function()
    local dir = helper.tmpdir()
    assert.equal("", (helper.shell("cd " .. dir .. " && for t in sh uname; do ln -s $(command -v $t) $t; done")))
    -- where even the directories of the administrator's programs have no apt-get
    local script = helper.shell "sed s,/usr/sbin:/sbin,/nowhere, tools/vm/run.sh"
    helper.save(dir .. "/run.sh", script)
    for set, status in pairs { [""] = 77, ["MISSING=0"] = 0 } do
      local output, got = helper.shell(("unset MISSING; %s PATH=%s sh %s/run.sh"):format(set, dir, dir))
      assert.match("^vm: [^\n]+\n1 skipped: the virtual machine cannot be had here\n\n"
        .. "0 passed, 0 failed, 1 skipped\n$", output)
      assert.equal(status, got)
    end
  end)
end)
